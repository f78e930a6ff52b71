// Compares tensors of the same names in two files. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

struct TensorDifference {
  std::string name;
  bool equal_bits = false;  // type, shape and bytes
  // If types or shapes differ: "F32 [2, 3] and BF16 [2, 3]". Values of different shapes are not
  // compared.
  std::string note;
  // Largest |a - b|, and that divided by the largest finite |b|. Infinite if only one of a, b is
  // finite or shapes differ; two NaNs and equal infinities count as equal. Both may be 0 although
  // bits differ: -0 and 0.
  double max_abs = 0, max_rel = 0;
};

struct Comparison {
  std::vector<TensorDifference> common;  // in the order of the first
  std::vector<std::string> only_in_first, only_in_second;

  bool equal() const;
};

Comparison compare(std::span<const TensorView> first, std::span<const TensorView> second);

}  // namespace fcm::formats
