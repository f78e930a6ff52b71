// main(). All other code of the program is in the library fcm_app, so that tests can call it.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "apps/cublas_policy.h"
#include "apps/memory_policy.h"
#include "apps/program.h"
#include "apps/streams.h"
#include "apps/wait_policy.h"
#include "fcm/base/error.h"
#include "fcm/base/failpoint.h"

int main(int count, char** values) {
  fcm::apps::fill_closed_streams();
  fcm::apps::ignore_sigpipe();
  // Writing a file beyond RLIMIT_FSIZE then gives an error message instead of a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  fcm::apps::keep_memory();
  fcm::apps::set_cublas_workspace_config();
  // FASTCONVMAE_FAILPOINT: for tests of crashes and full disks (fcm/base/failpoint.h).
  if (const char* spec = std::getenv("FASTCONVMAE_FAILPOINT")) {
    try {
      fcm::failpoint::arm(spec);
    } catch (const fcm::Error& error) {
      std::fprintf(stderr, "error: FASTCONVMAE_FAILPOINT: %s\n", error.what());
      return static_cast<int>(error.code());
    }
  }
  return fcm::apps::run_program({values + 1, values + count},
                                [&] { fcm::apps::sleep_while_waiting(values); });
}
