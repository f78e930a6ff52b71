// Random boxes for tests.
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "fcm/base/random.h"

namespace fcm::boxes::test {

inline at::Tensor boxes_of(const std::vector<std::array<double, 4>>& rows,
                           at::ScalarType type = at::kFloat) {
  at::Tensor boxes = at::empty({static_cast<int64_t>(rows.size()), 4}, at::kDouble);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::copy(rows[i].begin(), rows[i].end(), boxes.mutable_data_ptr<double>() + 4 * i);
  }
  return boxes.to(type);
}

// Boxes [count, 4] within side x side with integer corners, so that many touch, coincide or have
// equal overlaps. Width and height are at least 1.
inline at::Tensor whole_boxes(uint64_t seed, int64_t count, int64_t side,
                              at::ScalarType type = at::kFloat) {
  KeyedRandom random(seed, Purpose::kSynthetic, 0, 0);
  const auto below = [&](int64_t bound) {
    return static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
  };
  at::Tensor boxes = at::empty({count, 4}, at::kDouble);
  auto* out = boxes.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i, out += 4) {
    for (int64_t axis = 0; axis < 2; ++axis) {
      const int64_t low = below(side);
      out[axis] = static_cast<double>(low);
      out[axis + 2] = static_cast<double>(low + 1 + below(side - low));
    }
  }
  return boxes.to(type);
}

// Boxes [count, 4] with arbitrary real corners.
inline at::Tensor real_boxes(uint64_t seed, int64_t count, double side,
                             at::ScalarType type = at::kFloat) {
  KeyedRandom random(seed, Purpose::kSynthetic, 1, 0);
  at::Tensor boxes = at::empty({count, 4}, at::kDouble);
  auto* out = boxes.mutable_data_ptr<double>();
  for (int64_t i = 0; i < count; ++i, out += 4) {
    for (int64_t axis = 0; axis < 2; ++axis) {
      out[axis] = side * random.uniform_double();
      out[axis + 2] = out[axis] + 0.5 + 0.4 * side * random.uniform_double();
    }
  }
  return boxes.to(type);
}

}  // namespace fcm::boxes::test
