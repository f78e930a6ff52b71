// gelu(layer_norm(x)): the end of a patch embedding.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// x: [..., C] float32, bfloat16 or float64; weights of any floating type. Keeps x and the
// statistics of its rows alone; the norm's output is made again in the backward pass. Not
// differentiable twice.
at::Tensor norm_gelu(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                     double epsilon);
at::Tensor norm_gelu_reference(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, double epsilon);

}  // namespace fcm::ops
