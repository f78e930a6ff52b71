#include "fcm/base/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "fcm/base/counted.h"

namespace fcm {
namespace {

constexpr double kQuietSeconds = 1, kPauseSeconds = 0.2;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// "1.25 of 3.40 GB": both numbers in the unit that suits the larger one.
std::string bytes_of(int64_t done, int64_t total) {
  const int64_t largest = std::max(done, total);
  const bool giga = largest >= 1'000'000'000;
  const double unit = giga ? 1e9 : 1e6;
  const auto number = [&](int64_t bytes) {
    return fmt::format("{:.{}f}", static_cast<double>(bytes) / unit, giga ? 2 : 0);
  };
  const std::string of = total > 0 ? fmt::format(" of {}", number(total)) : "";
  return fmt::format("{}{} {}", number(done), of, giga ? "GB" : "MB");
}

}  // namespace

Progress::Progress(Reporter& reporter, std::string what, int64_t total, Counted counted)
    : Progress(reporter, std::move(what), total, counted, steady_seconds) {}

Progress::Progress(Reporter& reporter, std::string what, int64_t total, Counted counted,
                   Clock clock)
    : reporter_(reporter),
      what_(std::move(what)),
      total_(total),
      counted_(counted),
      clock_(std::move(clock)),
      began_(clock_()) {}

void Progress::add(int64_t count) {
  const std::lock_guard lock(mutex_);
  done_ += count;
  if (total_ > 0) done_ = std::min(done_, total_);
  const double now = clock_(), seconds = now - began_;
  const bool is_last = done_ == total_ && last_report_ > 0;
  if (!is_last && (seconds < kQuietSeconds || now - last_report_ < kPauseSeconds)) return;
  last_report_ = now;
  reporter_.progress(line(seconds));
}

std::string Progress::line(double seconds) const {
  std::string text = what_.empty() ? "" : what_ + ": ";
  if (std::string_view(counted_.one) == kBytes.one) {
    text += bytes_of(done_, total_);
  } else if (total_ > 0) {
    text += fmt::format("{} of {}", done_, counted(total_, counted_.one, counted_.many));
  } else {
    text += counted(done_, counted_.one, counted_.many);
  }
  if (total_ == 0 || done_ == 0) return text;
  const double left = seconds * static_cast<double>(total_ - done_) / static_cast<double>(done_);
  return text + "  left " + clock_text(left);
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(seconds, 0.0));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace fcm
