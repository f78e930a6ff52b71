#include "apps/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace fcm::apps {

void sleep_while_waiting(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  // Some ten microseconds: longer than the gaps between our loops, shorter than a turn of another
  // program.
  ::setenv("GOMP_SPINCOUNT", "3000", 1);
  ::execv("/proc/self/exe", arguments);  // on failure: go on as we are
}

}  // namespace fcm::apps
