// linear by one chosen way, for tests and benchmarks; op.h takes the fastest.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Own kernels. x: float32 or float64, with AMX also bfloat16.
at::Tensor linear_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_OI,
                       const at::Tensor& bias_O);

// The library's matrix products.
at::Tensor linear_library(const at::Tensor& x, const at::Tensor& weight_OI,
                          const at::Tensor& bias_O);

}  // namespace fcm::ops
