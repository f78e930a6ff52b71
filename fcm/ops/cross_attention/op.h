// Softmax attention of the tokens of one sequence to those of another.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// q_NQC: [N, Q, C], `heads` heads. kv_NTD: [N, T, 2 * C], the output of one Linear: k, v, each
// [heads, C / heads]. Returns [N, Q, C]. Scale (C / heads)^-0.5; softmax in fp32 (float64 for
// float64 input). float32, bfloat16 or float64, one type for both. Not differentiable twice.
at::Tensor cross_attention(const at::Tensor& q_NQC, const at::Tensor& kv_NTD, int64_t heads);
at::Tensor cross_attention_reference(const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                     int64_t heads);

}  // namespace fcm::ops
