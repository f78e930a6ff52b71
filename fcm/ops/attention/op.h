// Softmax attention for short sequences, on the packed output of the qkv projection.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// qkv_NTD: [N, T, 3 * C] as the fused qkv Linear writes it: q, k, v, each [heads, C / heads].
// Returns [N, T, C]. Scale (C / heads)^-0.5; softmax in fp32 (float64 for float64 input). float32,
// bfloat16 or float64.
at::Tensor attention(const at::Tensor& qkv_NTD, int64_t heads);
at::Tensor attention_reference(const at::Tensor& qkv_NTD, int64_t heads);

}  // namespace fcm::ops
