// Figures of several measurements.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "fcm/base/error.h"

namespace fcm {

// The middle one; of an even number the upper of the two in the middle, so that it is always one
// that was measured. Throws std::logic_error where there is none.
template <typename Number>
Number median(std::vector<Number> values) {
  require(!values.empty(), "a median of no values: wanted one at least");
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
