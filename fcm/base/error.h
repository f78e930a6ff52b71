// User errors: one sentence that says what is wrong, where, with which value, and what to try.
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "fcm/base/text.h"

namespace fcm {

// Exit codes of the program (README, "Exit codes"). The library throws; only apps/ exits.
enum class ExitCode : int {
  kDone = 0,
  kUsage = 2,       // command line or recipe
  kData = 3,        // images and data sets
  kCheckpoint = 4,  // reading or writing checkpoints
  kNumeric = 5,     // loss or gradients stayed non-finite
  kDevice = 6,      // device or memory
  kPeerLost = 7,
  kStopped = 75,  // stopped early with a checkpoint; run again to continue
};

class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

namespace detail {

template <typename T>
inline constexpr bool is_text =
    std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>;

template <typename... Shown>
std::string message(fmt::string_view format, const Shown&... shown) {
  return fmt::vformat(format, fmt::make_format_args(shown...));
}

// An argument made safe for a message: a name must neither contain a line break nor control the
// terminal.
template <typename T>
decltype(auto) in_message(const T& argument) {
  if constexpr (is_text<T>) {
    return printable(argument);
  } else {
    return (argument);
  }
}

// Joined strings, made printable. Strings joined by newlines are the lines of one message. Joined
// numbers stay a join_view, because the format string may hold a format spec for them.
template <typename It, typename End>
requires is_text<std::iter_value_t<It>> std::string in_message(
    const fmt::join_view<It, End, char>& joined) {
  const bool lines =
      std::string_view(joined.sep.data(), joined.sep.size()).find('\n') != std::string_view::npos;
  return printable(message("{}", joined), lines ? Lines::kMany : Lines::kOne);
}

}  // namespace detail

// Throws Error(code). String arguments, alone or joined, are made printable (text.h), because they
// may hold file names from outside. A `const char*` is the program's own text and stays unchanged.
template <typename... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, detail::message(format, detail::in_message(args)...));
}

// Checks an internal invariant. A failure is a bug, never the user's fault: throws
// std::logic_error, whose message asks for a report.
template <typename... Args>
void require(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) {
    throw std::logic_error("internal error, please report: " +
                           fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace fcm
