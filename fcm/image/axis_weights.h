// Resampling weights of one axis, and the pointers to them that kernels take.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/resize_kernels.h"

namespace fcm::image {

// Owns the arrays to which an AxisView points; resize_kernels.h documents them.
struct AxisWeights {
  int64_t source = 0;
  int64_t taps = 0;
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weight;
  std::vector<int32_t> digits;
};

// Fills `digits` from `weight`. Weights must lie between -1.9 and 1.9 (stored times 2^22).
void add_digits(AxisWeights& axis);

inline AxisView view(const AxisWeights& axis) {
  return {axis.source,       static_cast<int64_t>(axis.first.size()),
          axis.taps,         axis.first.data(),
          axis.count.data(), axis.weight.data(),
          axis.digits.data()};
}

}  // namespace fcm::image
