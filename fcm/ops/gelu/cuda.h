// The GPU kernels of gelu. All pointers are to GPU memory.
#pragma once

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/gelu/kernel.h"

namespace fcm::ops {

// y = gelu(x).
[[gnu::weak]] void gelu_forward_cuda(const float* x, float* y, int64_t count, CudaStream stream);
[[gnu::weak]] void gelu_forward_cuda(const Bfloat16* x, Bfloat16* y, int64_t count,
                                     CudaStream stream);
[[gnu::weak]] void gelu_forward_cuda(const double* x, double* y, int64_t count, CudaStream stream);

// dx = dy * gelu'(x); pass.y is unused. dx may alias dy.
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardRecompute<float>& pass, CudaStream stream);
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardRecompute<Bfloat16>& pass,
                                      CudaStream stream);
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardRecompute<double>& pass, CudaStream stream);

// dx = dy * gelu'(x) and y = gelu(x), for rows of `channels` elements. sums [channels]: column sums
// of dx before rounding. parts: scratch of [column_sums_parts_cuda(rows, channels), channels].
[[gnu::weak]] void gelu_backward_recompute_cuda(const GeluBackwardRecompute<float>& pass,
                                                int64_t channels, float* parts, float* sums,
                                                CudaStream stream);
[[gnu::weak]] void gelu_backward_recompute_cuda(const GeluBackwardRecompute<Bfloat16>& pass,
                                                int64_t channels, float* parts, float* sums,
                                                CudaStream stream);
[[gnu::weak]] void gelu_backward_recompute_cuda(const GeluBackwardRecompute<double>& pass,
                                                int64_t channels, double* parts, double* sums,
                                                CudaStream stream);

// x += bias, y = gelu(x).
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<float, float>& pass, CudaStream stream);
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<Bfloat16, float>& pass,
                                        CudaStream stream);
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<double, double>& pass,
                                        CudaStream stream);

}  // namespace fcm::ops
