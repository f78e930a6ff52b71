// Several processes of one program on this machine, as one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/base/reporter.h"

namespace fcm::dist {

struct LaunchRequest {
  int64_t processes = 2;
  std::string program;               // a path
  std::vector<std::string> command;  // its arguments
};

// Starts the ranks of a group, divides the cores among them (unless OMP_NUM_THREADS says how many
// each may use), keeps the store where they meet, hands SIGINT, SIGTERM, SIGHUP,
// SIGUSR1 and SIGUSR2 on to each of them, and returns when all have ended: 0, or the exit status of
// the first that ended with another. That one ends the rest: they are asked by SIGTERM, and soon
// killed. A rank dies with this process. Throws Error(kPeerLost) where the first was ended by a
// signal that was not handed on.
int launch(const LaunchRequest& request, Reporter& reporter);

}  // namespace fcm::dist
