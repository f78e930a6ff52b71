// Convolutions of 3 x 3, stride 1 and one zero around, by Winograd's F(2x2, 3x3) (Lavin and Gray,
// "Fast algorithms for convolutional neural networks", CVPR 2016): a tile of 2 x 2 outputs takes 16
// products for each pair of channels in place of 36, all of them matrix products. In float32 its
// rounding is about twice that of the plain sum.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::nn {

// x [B, H, W, I] contiguous, weight [O, 3, 3, I] of any strides; float32 or float64, no gradients
// asked for. -> [B, H, W, O]
at::Tensor winograd(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

// Of the sum of dy * winograd(x, weight); dx is undefined where it is not wanted.
struct ConvGradients {
  at::Tensor dx_BHWI, dweight_O33I;
};
ConvGradients winograd_backward(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I,
                                const at::Tensor& dy_BHWO, bool wants_dx);

}  // namespace fcm::nn
