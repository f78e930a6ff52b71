// Helpers for tests of masks: random masks, and pixel-by-pixel implementations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fcm/base/random.h"
#include "fcm/image/run_lengths.h"

namespace fcm::test {

struct ByteMask {
  int64_t rows = 0, cols = 0;
  std::vector<uint8_t> bytes;  // row-major

  uint8_t at(int64_t row, int64_t col) const {
    return bytes[static_cast<size_t>(row * cols + col)];
  }
};

// A random mask: noise, rectangles with holes, all zeros, or all ones.
inline ByteMask synthetic_mask(uint64_t number, int64_t rows, int64_t cols) {
  KeyedRandom random(5, Purpose::kSynthetic, 0, number);
  ByteMask mask{rows, cols, std::vector<uint8_t>(static_cast<size_t>(rows * cols))};
  const uint64_t kind = random.below(8);
  if (kind == 0) std::ranges::fill(mask.bytes, uint8_t{1});
  if (kind == 2) {
    for (uint8_t& byte : mask.bytes) byte = static_cast<uint8_t>(random.below(2));
  }
  const uint64_t rectangles = kind < 3 ? 0 : 1 + random.below(6);
  for (uint64_t i = 0; i < rectangles; ++i) {
    const auto top = static_cast<int64_t>(random.below(static_cast<uint64_t>(rows)));
    const auto left = static_cast<int64_t>(random.below(static_cast<uint64_t>(cols)));
    const int64_t bottom =
        top + 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(rows - top)));
    const int64_t right =
        left + 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(cols - left)));
    const auto value = static_cast<uint8_t>(i % 3 == 2 ? 0 : 1);
    for (int64_t row = top; row < bottom; ++row) {
      for (int64_t col = left; col < right; ++col) {
        mask.bytes[static_cast<size_t>(row * cols + col)] = value;
      }
    }
  }
  return mask;
}

// Run lengths counted pixel by pixel, in COCO's column-major order.
inline std::vector<uint32_t> plain_runs(const ByteMask& mask) {
  std::vector<uint32_t> runs{0};
  uint8_t value = 0;
  for (int64_t col = 0; col < mask.cols; ++col) {
    for (int64_t row = 0; row < mask.rows; ++row) {
      if ((mask.at(row, col) != 0) != (value != 0)) {
        value = mask.at(row, col);
        runs.push_back(0);
      }
      ++runs.back();
    }
  }
  return runs;
}

inline image::RunLengths encoded(const ByteMask& mask) {
  return image::encode_mask(mask.bytes, mask.rows, mask.cols);
}

}  // namespace fcm::test
