// Matrix product with bias: x * weight^T + bias.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x: [..., I]; weight_OI; bias_O. The product runs in the type of x: fp32 master weights are
// rounded to bfloat16 on the way when x is bfloat16, and their gradients come back in the type of
// the weights.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O);
at::Tensor linear_reference(const at::Tensor& x, const at::Tensor& weight_OI,
                            const at::Tensor& bias_O);

}  // namespace fcm::ops
