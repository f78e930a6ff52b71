// A dense convolution of 3 x 3, stride 1, one zero around, forward and backward without autograd,
// for layers that decide themselves what they keep.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// x [B, H, W, I] contiguous, weight [O, 3, 3, I] of any strides; float32 or float64, on the CPU, no
// gradients asked for. -> [B, H, W, O]
at::Tensor conv3x3_forward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

// Of the sum of dy * conv3x3(x, weight); dx is undefined where it is not wanted.
struct ConvGradients {
  at::Tensor dx_BHWI, dweight_O33I;
};
ConvGradients conv3x3_backward(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I,
                               const at::Tensor& dy_BHWO, bool wants_dx);

}  // namespace fcm::ops
