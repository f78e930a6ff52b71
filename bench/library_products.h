// Matrix products by the libraries at hand, to be timed beside ours.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace fcm::bench {

struct LibraryProduct {
  std::string name;  // "mkl", "onednn" (both through LibTorch), "openblas" (the system's)
  // left_MK * right_KN; of each matrix one stride is 1.
  std::function<at::Tensor(const at::Tensor& left_MK, const at::Tensor& right_KN)> multiply;
};

// Those that can multiply numbers of that type here: float32 by all three, bfloat16 by oneDNN.
std::vector<LibraryProduct> library_products(at::ScalarType type);

}  // namespace fcm::bench
