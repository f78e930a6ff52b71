// The passes of gelu without autograd, for composite operators. All tensors contiguous, of one
// type.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

at::Tensor gelu_forward(Isa isa, const at::Tensor& x);
at::Tensor gelu_backward(Isa isa, const at::Tensor& dy, const at::Tensor& x);  // dx

// After a matrix product without bias: adds the bias to x in place, returns gelu(x). The bias may
// be of another floating type.
at::Tensor gelu_of_product(Isa isa, const at::Tensor& x_MC, const at::Tensor& bias_C);

// gradient: dy, overwritten with dx. Returns gelu(x), recomputed in the same pass, and on a GPU the
// column sums of dx in float32 (float64 for float64); on the CPU sums_C is undefined and the
// product that reads dx computes them.
struct GeluRecomputed {
  at::Tensor y_MC, sums_C;
};
GeluRecomputed gelu_backward_recompute(Isa isa, const at::Tensor& gradient_MC,
                                       const at::Tensor& x_MC);

}  // namespace fcm::ops
