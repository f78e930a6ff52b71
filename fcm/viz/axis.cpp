#include "fcm/viz/axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/viz/text.h"

namespace fcm::viz {

namespace {

constexpr double kLeastLog = 1e-280;

double nice_step(double wanted) {
  const double power = std::pow(10.0, std::floor(std::log10(wanted)));
  const double rest = wanted / power;
  return power * (rest <= 1.0001 ? 1 : rest <= 2.0001 ? 2 : rest <= 5.0001 ? 5 : 10);
}

// The power of ten of the first digit.
double decade(double value) { return std::floor(std::log10(std::abs(value)) + 1e-6); }

// All labels of an axis share their unit and their decimals.
std::vector<std::string> linear_labels(const std::vector<double>& ticks, double step) {
  double largest = 0;
  for (const double tick : ticks) largest = std::max(largest, std::abs(tick));
  struct Unit {
    double size;
    const char* name;
  };
  Unit unit{1, ""};
  for (const Unit larger : {Unit{1e3, "k"}, Unit{1e6, "M"}, Unit{1e9, "G"}, Unit{1e12, "T"}}) {
    if (largest >= 10 * larger.size || (larger.size > 1e3 && largest >= larger.size)) unit = larger;
  }
  const double decimals = std::ceil(-std::log10(step / unit.size) - 1e-6);
  std::vector<std::string> labels;
  for (const double tick : ticks) {
    if (tick == 0) {
      labels.push_back("0");
    } else if (largest >= 1e15 || step < 1e-4) {
      const double digits = decade(tick) - decade(step) + 1;
      labels.push_back(format_value(tick, static_cast<int>(std::clamp(digits, 1.0, 15.0))));
    } else {
      labels.push_back(fmt::format("{:.{}f}{}", tick / unit.size,
                                   static_cast<int>(std::max(0.0, decimals)), unit.name));
    }
  }
  return labels;
}

}  // namespace

double Axis::place(double value) const {
  const double held = std::clamp(value, low, high);
  if (log) return (std::log10(held) - std::log10(low)) / (std::log10(high) - std::log10(low));
  return (held - low) / (high - low);
}

Axis linear_axis(double low, double high, int wanted, bool to_ticks, double least_step) {
  require(std::isfinite(low) && std::isfinite(high) && low <= high,
          "an axis from {} to {} cannot be drawn", low, high);
  low = std::clamp(low, -kLargest, kLargest);
  high = std::clamp(high, -kLargest, kLargest);
  const double size = std::max(std::abs(low), std::abs(high));
  // For a range below a millionth of the values the labels of all ticks would be equal.
  if (high - low < std::max(size * 1e-6, 1e-290)) {
    const double middle = low / 2 + high / 2;
    const double reach = size < 1e-290 ? 1 : std::abs(middle) * 0.1;
    low = middle - reach;
    high = middle + reach;
  }
  const double step = std::max(least_step, nice_step((high - low) / std::max(1, wanted)));
  Axis axis;
  if (to_ticks) {
    low = std::floor(low / step + 1e-6) * step;
    high = std::ceil(high / step - 1e-6) * step;
  }
  axis.low = low;
  axis.high = high;
  const double first = std::ceil(low / step - 1e-6);
  const auto count = static_cast<int>(std::floor(high / step + 1e-6) - first) + 1;
  for (int i = 0; i < count; ++i) {
    axis.ticks.push_back(std::clamp((first + i) * step, low, high));
    if (std::abs(axis.ticks.back()) < step * 1e-6) axis.ticks.back() = 0;
  }
  axis.labels = linear_labels(axis.ticks, step);
  return axis;
}

Axis log_axis(double low, double high, int wanted) {
  require(low > 0 && std::isfinite(high) && low <= high,
          "a logarithmic axis from {} to {} cannot be drawn", low, high);
  // Smaller values are denormal or nearly so; larger ones leave no room to widen the range.
  low = std::clamp(low, kLeastLog, kLargest);
  high = std::clamp(high, kLeastLog, kLargest);
  const auto decades = [&] { return std::log10(high) - std::log10(low); };
  if (decades() < 0.005) {
    low = std::max(low / 2, kLeastLog);
    high = std::min(high * 2, kLargest);
  }
  Axis axis = linear_axis(low, high, wanted, false);
  axis.log = true;
  // Less than 0.8 decades have too few powers of ten for ticks: they keep evenly spaced ones.
  if (decades() < 0.8) return axis;
  axis.ticks.clear();
  axis.labels.clear();
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const int stride = std::max(1, (last - first + wanted - 1) / std::max(1, wanted));
  for (int power = first - first % stride - stride; power <= last; power += stride) {
    for (const double multiple : {1.0, 2.0, 5.0}) {
      if (multiple > 1 && decades() > 2.5) break;
      const double tick = multiple * std::pow(10.0, power);
      if (tick < low * (1 - 1e-9) || tick > high * (1 + 1e-9)) continue;
      axis.ticks.push_back(std::clamp(tick, low, high));
      axis.labels.push_back(format_value(tick, 3));
    }
  }
  return axis;
}

}  // namespace fcm::viz
