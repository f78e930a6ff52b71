// Range and ticks of an axis.
#pragma once

#include <string>
#include <vector>

namespace fcm::viz {

// Values beyond this are drawn at it, so that differences stay finite.
inline constexpr double kLargest = 1e300;

struct Axis {
  double low = 0;
  double high = 1;
  bool log = false;
  std::vector<double> ticks;        // ascending, within [low, high]
  std::vector<std::string> labels;  // one per tick; empty if there is no room for it

  // 0 at low, 1 at high; values outside are clamped.
  double place(double value) const;
};

// Ticks at 1, 2 or 5 times a power of ten, about `wanted` of them. The axis spans the data, and
// with `to_ticks` extends to the next ticks. Any finite low and high are allowed: an empty range is
// widened around its value. Ticks are at least `least_step` apart (1 for counts).
Axis linear_axis(double low, double high, int wanted, bool to_ticks, double least_step = 0);

// Ticks at powers of ten, with 2 and 5 between them if there are few. Requires 0 < low <= high.
Axis log_axis(double low, double high, int wanted);

}  // namespace fcm::viz
