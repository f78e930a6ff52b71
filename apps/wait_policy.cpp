#include "apps/wait_policy.h"

#include <unistd.h>

#include <cstdlib>

namespace fcm::apps {

void sleep_while_waiting(char** arguments) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  // 3000 spins take about 10 us: longer than the gaps between our parallel loops, and shorter than
  // the time slice of another program.
  ::setenv("GOMP_SPINCOUNT", "3000", 1);
  ::execv("/proc/self/exe", arguments);  // if it fails, the program continues with long spinning
}

}  // namespace fcm::apps
