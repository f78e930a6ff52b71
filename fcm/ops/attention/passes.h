// Forward and backward of attention by our own kernels, without autograd, for composite operators.
// All tensors are contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

// Whether our own kernels support the sequences x [N, T, D] with this head_dim. On the CPU: at most
// 512 tokens and 128 head dimensions, which fit into the caches. On a GPU: bfloat16 and heads of 32
// or 64.
bool attention_fits(const at::Tensor& x_NTD, int64_t head_dim);

// Self-attention on packed qkv_NTD [N, T, 3 * C]. first: index of the first query token; earlier
// tokens are keys and values only. out and statistics have T - first tokens.
struct Attended {
  at::Tensor out_NTC;
  at::Tensor statistics_NhT2;  // maximum score and 1 / sum of exponentials, saved for backward
};

Attended attention_forward(Isa isa, const at::Tensor& qkv_NTD, int64_t heads, int64_t first = 0);

struct AttentionGradients {
  at::Tensor dqkv_NTD;
  at::Tensor out_NTC;  // the forward result, recomputed, or undefined
};

// recompute_out: recompute the forward result as well.
AttentionGradients attention_backward(Isa isa, const at::Tensor& dout_NTC,
                                      const at::Tensor& qkv_NTD, const at::Tensor& statistics_NhT2,
                                      int64_t heads, bool recompute_out, int64_t first = 0);

// Cross-attention: queries q_NQC from one sequence, keys and values kv_NTD [N, T, 2 * C] from
// another.
Attended cross_attention_forward(Isa isa, const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                 int64_t heads);

struct CrossAttentionGradients {
  at::Tensor dq_NQC, dkv_NTD;
};

CrossAttentionGradients cross_attention_backward(Isa isa, const at::Tensor& dout_NQC,
                                                 const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                                 const at::Tensor& statistics_NhQ2, int64_t heads);

}  // namespace fcm::ops
