// Matrix products by the libraries that are installed, to be compared with ours.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

namespace fcm::bench {

struct LibraryProduct {
  std::string name;  // "mkl", "onednn" (both through LibTorch), "openblas" (the system's)
  // left_MK * right_KN. One stride of each matrix must be 1.
  std::function<at::Tensor(const at::Tensor& left_MK, const at::Tensor& right_KN)> multiply;
};

// The installed libraries among those that are used for this dtype: for float32 all three, for
// bfloat16 oneDNN.
std::vector<LibraryProduct> library_products(at::ScalarType type);

}  // namespace fcm::bench
