// Errors a user can meet. One sentence says what is wrong, where, with which value, and what to
// try.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace fcm {

// Exit codes of the program (README, "Exit codes"). The library throws; only apps/ exits.
enum class ExitCode : int {
  kDone = 0,
  kUsage = 2,       // command line or recipe
  kData = 3,        // pictures and data sets
  kCheckpoint = 4,  // reading or writing checkpoints
  kNumeric = 5,     // the non-finite guard gave up
  kDevice = 6,      // device or memory
  kPeerLost = 7,
  kStopped = 75,  // stopped early with a checkpoint, run me again
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

template <typename... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// A broken promise inside the program (never the user's fault): asks for a report.
template <typename... Args>
void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) {
    throw std::logic_error("internal error, please report: " +
                           fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace fcm
