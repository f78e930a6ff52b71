// Stop requests by signals.
#pragma once

#include <atomic>

namespace fcm::apps {

// After this call, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU (batch systems send some of these
// before they kill a job) and SIGHUP (the terminal was closed) set the returned flag. A run then
// saves and ends after its current step. A second SIGINT ends the program at once. SIGHUP stays
// ignored in a program that nohup started.
const std::atomic<bool>* catch_stop_signals();

}  // namespace fcm::apps
