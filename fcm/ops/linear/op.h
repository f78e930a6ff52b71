// Matrix product with bias: x * weight^T + bias.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x: [..., I]; weight_OI; bias_O. The product runs in the type of x: fp32 master weights are
// rounded to bfloat16 if x is bfloat16, and their gradients have the type of the weights.
// rounded_OI: an up-to-date copy of the weight in the type of x, to save the rounding. Ignored if
// undefined or of another type or size.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O,
                  const at::Tensor& rounded_OI = {});
at::Tensor linear_reference(const at::Tensor& x, const at::Tensor& weight_OI,
                            const at::Tensor& bias_O);

}  // namespace fcm::ops
