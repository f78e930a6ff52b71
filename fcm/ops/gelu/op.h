// GELU in its exact form, x * Phi(x).
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x: any shape, float32, bfloat16 or float64. Saves only x for backward.
at::Tensor gelu(const at::Tensor& x);
at::Tensor gelu_reference(const at::Tensor& x);

}  // namespace fcm::ops
