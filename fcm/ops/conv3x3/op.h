// A dense 3 x 3 convolution of channels-last maps, stride 1, zero padding 1, with Winograd's F(4x4,
// 3x3): a tile of 4 x 4 outputs takes 36 multiplications per pair of channels instead of 144, all
// in matrix products.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x [B, H, W, I], weight [O, 3, 3, I], float32, bfloat16 (computed in float32) or float64 -> [B, H,
// W, O]. Saves x and weight. Not differentiable twice. On a GPU it calls LibTorch's convolution.
at::Tensor conv3x3(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);
at::Tensor conv3x3_reference(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

}  // namespace fcm::ops
