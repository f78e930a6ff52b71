// The passes of attention by own kernels, without autograd, for operators that are made of several.
// All tensors contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Whether own kernels take sequences of x [.., T, ..] and heads of these sizes. On the CPU longer
// and wider ones no longer fit the caches; on a GPU there are kernels for bfloat16 and heads of 32
// or 64.
bool attention_fits(const at::Tensor& x_NTD, int64_t head_dim);

// first: tokens before it only answer, with their keys and values, and get no result: T below
// counts those that ask.
struct Attended {
  at::Tensor out_NTC;
  at::Tensor statistics_NhT2;  // largest score and 1 / sum of exponentials, for the way back
};

Attended attention_forward(Isa isa, const at::Tensor& qkv_NTD, int64_t heads, int64_t first = 0);

struct AttentionGradients {
  at::Tensor dqkv_NTD;
  at::Tensor out_NTC;  // the forward result made again, or undefined
};

AttentionGradients attention_backward(Isa isa, const at::Tensor& dout_NTC,
                                      const at::Tensor& qkv_NTD, const at::Tensor& statistics_NhT2,
                                      int64_t heads, bool out_again, int64_t first = 0);

// The same where queries q_NQC and keys and values kv_NTD, [N, T, 2 * C], are of two sequences.
Attended cross_attention_forward(Isa isa, const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                 int64_t heads);

struct CrossAttentionGradients {
  at::Tensor dq_NQC, dkv_NTD;
};

CrossAttentionGradients cross_attention_backward(Isa isa, const at::Tensor& dout_NQC,
                                                 const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                                 const at::Tensor& statistics_NhQ2, int64_t heads);

}  // namespace fcm::ops
