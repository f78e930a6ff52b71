// Forward and backward of convolutions without autograd: of one map, and of upsampled maps.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/ops/conv3x3/passes.h"

namespace fcm::nn {

using ops::ConvGradients;

struct ConvStep {
  int64_t side = 3, stride = 1, padding = 1;
  auto operator<=>(const ConvStep&) const = default;
};

// x [B, H, W, I], weight [O, side, side, I] of x's type and any strides -> [B, R, S, O]. B may be
// 0.
at::Tensor conv_forward(const at::Tensor& x_BHWI, const at::Tensor& weight, const ConvStep& step);
ConvGradients conv_backward(const at::Tensor& x_BHWI, const at::Tensor& weight,
                            const at::Tensor& dy, const ConvStep& step, bool wants_dx);

// Adds to y [B, R, S, O] (float32 or float64) the 3 x 3 convolution of x [B, h, w, I] upsampled to
// R x S. For each tap it multiplies x by the tap's weights at x's own size, then upsamples and
// shifts the result with two small matrix products.
void add_conv_of_upsampled(const at::Tensor& x_BhwI, const at::Tensor& weight_O33I,
                           const at::Tensor& y_BRSO);
ConvGradients conv_of_upsampled_backward(const at::Tensor& x_BhwI, const at::Tensor& weight_O33I,
                                         const at::Tensor& dy_BRSO, bool wants_dx);

}  // namespace fcm::nn
