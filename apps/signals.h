// Being asked to stop.
#pragma once

#include <atomic>

namespace fcm::apps {

// From now on SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU (what batch systems send before they kill)
// and SIGHUP (a terminal that is gone; unless nohup has it ignored) set the returned flag, and the
// run saves and ends at the next step. A second SIGINT ends the program at once.
const std::atomic<bool>* catch_stop_signals();

}  // namespace fcm::apps
