// Being asked to stop.
#pragma once

#include <atomic>

namespace fcm::apps {

// From now on SIGINT, SIGTERM and SIGUSR1 set the returned flag, and the run saves and ends at the
// next step. A second SIGINT ends the program at once.
const std::atomic<bool>* catch_stop_signals();

}  // namespace fcm::apps
