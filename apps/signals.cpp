#include "apps/signals.h"

#include <csignal>

namespace fcm::apps {
namespace {

// A signal handler can only access static variables; this is the program's only one.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void request_stop(int signal) {
  stop_requested.store(true);
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

// nohup starts programs with SIGHUP ignored.
bool is_ignored(int signal) {
  struct sigaction action {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

const std::atomic<bool>* catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = request_stop;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU}) {
    sigaction(signal, &action, nullptr);
  }
  if (!is_ignored(SIGHUP)) sigaction(SIGHUP, &action, nullptr);
  return &stop_requested;
}

}  // namespace fcm::apps
