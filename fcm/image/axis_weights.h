// Weights of one axis of the resampling, and how kernels see them.
#pragma once

#include <cstdint>
#include <vector>

#include "fcm/image/resize_kernels.h"

namespace fcm::image {

// As AxisView, which points into it.
struct AxisWeights {
  int64_t taps = 0;
  std::vector<int32_t> first;
  std::vector<int32_t> count;
  std::vector<int32_t> weight;
};

inline AxisView view(const AxisWeights& axis) {
  return {static_cast<int64_t>(axis.first.size()), axis.taps, axis.first.data(), axis.count.data(),
          axis.weight.data()};
}

}  // namespace fcm::image
