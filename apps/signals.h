// Stop requests by signals.
#pragma once

#include <atomic>

namespace fcm::apps {

// From now on SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU (sent by batch systems before they kill)
// and SIGHUP (the terminal is gone; unless nohup ignores it) set the returned flag, and the run
// saves and ends at the next step. A second SIGINT ends the program at once.
const std::atomic<bool>* catch_stop_signals();

}  // namespace fcm::apps
