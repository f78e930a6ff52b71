#include "apps/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace fcm::apps {

void sleep_while_waiting(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::execv("/proc/self/exe", arguments);  // on failure: go on as we are
}

}  // namespace fcm::apps
