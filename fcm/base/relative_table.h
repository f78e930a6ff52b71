#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace fcm {

// The published name of a Swin's biases by relative position, behind that of its attention.
constexpr std::string_view kRelativeTable = "relative_position_bias_table";

// w of a table of (2 * w - 1)^2 rows, the nearest where there is none.
inline int64_t window_of_table(int64_t rows) {
  return (std::llround(std::sqrt(static_cast<double>(rows))) + 1) / 2;
}

inline int64_t rows_of_table(int64_t window) { return (2 * window - 1) * (2 * window - 1); }

}  // namespace fcm
