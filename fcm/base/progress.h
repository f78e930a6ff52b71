// How far a long job is: a progress line of what is counted, of how many, and the time left.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "fcm/base/reporter.h"

namespace fcm {

// "pictures", what there is of it one by one, or bytes, said in MB or GB.
struct Counted {
  const char* one;
  const char* many;
};
inline constexpr Counted kPictures{"picture", "pictures"};
inline constexpr Counted kBytes{"byte", "bytes"};

// May be called from several threads. Says nothing in the first second, so that what is quick is
// quiet; then as often as a terminal can show it. The last line is said when all is done, but only
// after another.
class Progress {
 public:
  using Clock = std::function<double()>;  // seconds from any moment on

  // `what` stands before the count, as in "val: 3 of 8 pictures"; empty: nothing does. `total` 0:
  // it is not known how many there will be, nor what is left.
  Progress(Reporter& reporter, std::string what, int64_t total, Counted counted = kPictures);
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
  double said_ = 0;  // when; 0: never
};

// "1:02:03" of so many seconds.
std::string clock_text(double seconds);

}  // namespace fcm
