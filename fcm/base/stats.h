// Statistics of several measurements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "fcm/base/error.h"

namespace fcm {

// The median. For an even number of values it is the larger of the middle two, so it is always one
// of the values. Throws std::logic_error if there are no values.
template <typename Number>
Number median(std::vector<Number> values) {
  require(!values.empty(), "median: expected at least one value, got none");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

struct Spread {
  double min = 0, median = 0, max = 0;
};

// Throws std::logic_error for no values.
inline Spread spread_of(const std::vector<double>& values) {
  const double middle = median(values);
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return {*least, middle, *most};
}

}  // namespace fcm
