#include "apps/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace fcm::apps {

void sleep_while_waiting(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  // About ten microseconds: longer than the gaps between our loops, shorter than another program's
  // time slice.
  ::setenv("GOMP_SPINCOUNT", "3000", 1);
  ::execv("/proc/self/exe", arguments);  // on failure: continue without
}

}  // namespace fcm::apps
