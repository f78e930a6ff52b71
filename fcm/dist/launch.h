// Starts several processes of one program on this machine and waits for them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"

namespace fcm::dist {

struct LaunchRequest {
  int64_t processes = 2;
  std::string program;               // path of the executable
  std::vector<std::string> command;  // its arguments
};

// Starts the ranks of a group, divides the cores among them (unless OMP_NUM_THREADS is set), hosts
// the store where they meet, and forwards SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 to each.
// Returns when all ranks have ended: 0, or the exit status of the first rank that failed. After
// that failure the others get SIGTERM, and SIGKILL 5 s later. If the failed rank was stopped by the
// user (exit status 75), the others get no SIGTERM, and SIGKILL only after 60 s, in which they can
// save. If this process dies, the kernel kills its ranks. Throws Error(kPeerLost) if the first
// failure was a signal that was not forwarded, except SIGPIPE.
int launch(const LaunchRequest& request, Reporter& reporter);

}  // namespace fcm::dist
