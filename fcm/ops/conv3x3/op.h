// A dense convolution of maps with channels last: 3 x 3, stride 1, one zero around. By Winograd's
// F(4x4, 3x3): a tile of 4 x 4 outputs takes 36 products for each pair of channels in place of 144,
// all of them matrix products.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x [B, H, W, I], weight [O, 3, 3, I], float32, bfloat16 (computed in float32) or float64 -> [B, H,
// W, O]. Keeps x. Not differentiable twice. On a GPU the library's.
at::Tensor conv3x3(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);
at::Tensor conv3x3_reference(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

}  // namespace fcm::ops
