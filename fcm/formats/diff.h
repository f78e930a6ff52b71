// By how much tensors of the same names differ. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fcm/formats/tensor_file.h"

namespace fcm::formats {

struct TensorDifference {
  std::string name;
  bool equal_bits = false;  // type, shape and bytes
  // Where types or shapes differ: "F32 [2, 3] and BF16 [2, 3]". Values of different shapes are not
  // compared.
  std::string note;
  // Largest |a - b|, and the same over the largest finite |b|. Infinite where only one is finite or
  // shapes differ; equal NaN and equal infinities do not differ. Zero with other bits: -0 and 0.
  double max_abs = 0, max_rel = 0;
};

struct Comparison {
  std::vector<TensorDifference> common;  // in the order of the first
  std::vector<std::string> only_in_first, only_in_second;

  bool equal() const;
};

Comparison compare(std::span<const TensorView> first, std::span<const TensorView> second);

}  // namespace fcm::formats
