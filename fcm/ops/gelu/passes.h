// The passes of gelu without autograd, for composite operators. All tensors are contiguous and of
// one type.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

at::Tensor gelu_forward(Isa isa, const at::Tensor& x);
at::Tensor gelu_backward(Isa isa, const at::Tensor& dy, const at::Tensor& x);  // dx

// For the result x of a matrix product without bias: adds the bias to x in place and returns
// gelu(x). The bias may have another floating type.
at::Tensor gelu_of_product(Isa isa, const at::Tensor& x_MC, const at::Tensor& bias_C);

// `gradient` holds dy and is overwritten with dx. Returns gelu(x), recomputed in the same pass, and
// on a GPU the column sums of dx in float32 (float64 for float64). On the CPU sums_C is undefined;
// the product that reads dx computes the sums.
struct GeluRecomputed {
  at::Tensor y_MC, sums_C;
};
GeluRecomputed gelu_backward_recompute(Isa isa, const at::Tensor& gradient_MC,
                                       const at::Tensor& x_MC);

}  // namespace fcm::ops
