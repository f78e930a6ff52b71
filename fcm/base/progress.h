// The progress line of a long job: count, total, time left.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "fcm/base/reporter.h"

namespace fcm {

// The noun of what is counted. kBytes is shown in MB or GB.
struct Counted {
  const char* one;
  const char* many;
};
inline constexpr Counted kImages{"image", "images"};
inline constexpr Counted kBytes{"byte", "bytes"};

// Thread-safe. Reports nothing in the first second, so that a short job prints no progress; then at
// most five lines per second. The final line is reported only if there was a line before it.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds since any fixed moment

  // `what` is a prefix, as in "val: 3 of 8 images"; empty: no prefix. `total` 0: the total is
  // unknown, and no time left is shown.
  Progress(Reporter& reporter, std::string what, int64_t total, Counted counted = kImages);
  Progress(Reporter& reporter, std::string what, int64_t total, Counted counted, Clock clock);

  void add(int64_t count);

 private:
  std::string line(double seconds) const;

  Reporter& reporter_;
  const std::string what_;
  const int64_t total_;
  const Counted counted_;
  const Clock clock_;
  const double began_;
  std::mutex mutex_;
  int64_t done_ = 0;
  double last_report_ = 0;  // time of the last report; 0: none yet
};

// Seconds as "1:02:03".
std::string clock_text(double seconds);

}  // namespace fcm
