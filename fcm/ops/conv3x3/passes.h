// Forward and backward of conv3x3 without autograd, for layers that decide themselves what to save
// for backward.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// x [B, H, W, I] contiguous, weight [O, 3, 3, I] of any strides; float32 or float64, on the CPU,
// outside autograd. -> [B, H, W, O]
at::Tensor conv3x3_forward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

// Gradients of the sum of dy * conv3x3(x, weight); dx is undefined unless wants_dx.
struct ConvGradients {
  at::Tensor dx_BHWI, dweight_O33I;
};
ConvGradients conv3x3_backward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I,
                               const at::Tensor& dy_BHWO, bool wants_dx);

}  // namespace fcm::ops
