#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace fcm {

// The end of the upstream name of Swin's relative position bias table, after the attention's
// prefix.
constexpr std::string_view kRelativeTable = "relative_position_bias_table";

// The window side w for which a table has (2 * w - 1)^2 rows; the nearest w if none fits exactly.
inline int64_t window_of_table(int64_t rows) {
  return (std::llround(std::sqrt(static_cast<double>(rows))) + 1) / 2;
}

inline int64_t rows_of_table(int64_t window) { return (2 * window - 1) * (2 * window - 1); }

}  // namespace fcm
