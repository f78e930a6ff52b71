// LayerNorm over the last dimension, statistics in fp32.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x: [..., C] float32, bfloat16 or float64; weight_C, bias_C: any floating type (fp32 with bfloat16
// x works). The result has the type of x. Differentiable in all three. Saves for backward: x, mean
// and 1 / std.
at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      double epsilon);

at::Tensor layer_norm_reference(const at::Tensor& x, const at::Tensor& weight_C,
                                const at::Tensor& bias_C, double epsilon);

}  // namespace fcm::ops
