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
  std::string note;         // if types or shapes differ: "F32 [2, 3] and BF16 [2, 3]"
  // max_abs: the largest |a - b|. max_rel: max_abs divided by the largest finite |b|. Two NaNs and
  // equal infinities count as equal; another non-finite difference counts as infinite. max_abs and
  // max_rel are infinite if shapes differ, or if bits differ and one of the types is not converted
  // to double (U16, F8_E4M3, C64, ...). They may be 0 although bits differ: -0 and 0, or the same
  // values in two types.
  double max_abs = 0, max_rel = 0;
};

struct Comparison {
  std::vector<TensorDifference> common;  // in the order of the first file
  std::vector<std::string> only_in_first, only_in_second;

  bool equal() const;
};

Comparison compare(std::span<const TensorView> first, std::span<const TensorView> second);

}  // namespace fcm::formats
