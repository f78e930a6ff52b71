// The products of linear on a GPU, with cuBLASLt (gemm.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace fcm::ops {

// x_MK * b_KN + bias_N + c_MN of type `out`, rounded once. bias and c may be undefined, otherwise
// they are contiguous and of type `out`. x and b have one type, and each has a stride of 1. nullopt
// if LibTorch has to compute the product: on the CPU, in float64, without elements, with rows that
// cannot be read 16 bytes at a time, or if cuBLASLt has no algorithm for it.
std::optional<at::Tensor> gpu_product(const at::Tensor& x_MK, const at::Tensor& b_KN,
                                      const at::Tensor& bias_N, const at::Tensor& c_MN,
                                      at::ScalarType out);

}  // namespace fcm::ops
