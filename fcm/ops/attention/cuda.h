// GPU kernels of attention for bfloat16 and heads of 32 or 64. Arguments as in kernel.h, with all
// pointers to GPU memory, for the pairs [0, pass.end). scratch is unused; statistics are required.
#pragma once

#include "fcm/ops/attention/kernel.h"
#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

constexpr bool attention_cuda_takes(int64_t head_dim) { return head_dim == 32 || head_dim == 64; }

[[gnu::weak]] void attention_forward_cuda(const AttentionForward<Bfloat16, float>& pass,
                                          CudaStream stream);

// products: [pairs, queries], scratch: receives the dot product of each query's result and the
// gradient of that result.
[[gnu::weak]] void attention_backward_cuda(const AttentionBackward<Bfloat16, float>& pass,
                                           float* products, CudaStream stream);

}  // namespace fcm::ops
