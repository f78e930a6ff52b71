// Where an axis begins and ends, and where its ticks stand.
#pragma once

#include <string>
#include <vector>

namespace fcm::viz {

// Numbers beyond this are drawn at it, so that differences stay finite.
inline constexpr double kLargest = 1e300;

struct Axis {
  double low = 0;
  double high = 1;
  bool log = false;
  std::vector<double> ticks;        // ascending, within [low, high]
  std::vector<std::string> labels;  // one a tick; empty where there is no room for a label

  // 0 at low, 1 at high; values outside are held at the ends.
  double place(double value) const;
};

// Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them. The axis spans the data and,
// where `to_ticks` is set, reaches out to the next ticks. Any finite low and high are good: a range
// without extent is widened around its value. Ticks are at least `least_step` apart: 1 for counts.
Axis linear_axis(double low, double high, int wanted, bool to_ticks, double least_step = 0);

// Ticks at powers of ten, with 2 and 5 between them where there are few. Needs 0 < low <= high.
Axis log_axis(double low, double high, int wanted);

}  // namespace fcm::viz
