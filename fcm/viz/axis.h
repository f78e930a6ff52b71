// Range and ticks of an axis.
#pragma once

#include <string>
#include <vector>

namespace fcm::viz {

// No axis extends beyond +-kLargest, so that differences stay finite; larger values are drawn at
// its end.
inline constexpr double kLargest = 1e300;

struct Axis {
  double low = 0;
  double high = 1;
  bool log = false;
  std::vector<double> ticks;        // ascending, within [low, high]
  std::vector<std::string> labels;  // one per tick; empty if there is no room for it

  // The position of a value along the axis: 0 at low, 1 at high; values outside are clamped.
  double place(double value) const;
};

// About `wanted` ticks at multiples of 1, 2 or 5 times a power of ten, at least `least_step` apart
// (1 for counts). The axis spans low to high, and with `to_ticks` extends to the next ticks.
// Requires finite low <= high; an empty range is widened around its value.
Axis linear_axis(double low, double high, int wanted, bool to_ticks, double least_step = 0);

// Ticks at powers of ten, with 2 and 5 between them if there are few; evenly spaced ticks on less
// than 0.8 decades. Requires 0 < low <= high.
Axis log_axis(double low, double high, int wanted);

}  // namespace fcm::viz
