// The kernels of gelu on a GPU: all pointers to the GPU's memory.
#pragma once

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/gelu/kernel.h"

namespace fcm::ops {

// y = gelu(x).
[[gnu::weak]] void gelu_forward_cuda(const float* x, float* y, int64_t count, CudaStream stream);
[[gnu::weak]] void gelu_forward_cuda(const Bfloat16* x, Bfloat16* y, int64_t count,
                                     CudaStream stream);
[[gnu::weak]] void gelu_forward_cuda(const double* x, double* y, int64_t count, CudaStream stream);

// dx = dy * gelu'(x); pass.y: unused. dx may be dy.
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardAgain<float>& pass, CudaStream stream);
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardAgain<Bfloat16>& pass, CudaStream stream);
[[gnu::weak]] void gelu_backward_cuda(const GeluBackwardAgain<double>& pass, CudaStream stream);

// The same and y = gelu(x), for rows of `channels`; sums [channels]: of the columns of dx, before
// it is rounded. parts: [column_sums_parts_cuda(rows, channels), channels], overwritten.
[[gnu::weak]] void gelu_backward_again_cuda(const GeluBackwardAgain<float>& pass, int64_t channels,
                                            float* parts, float* sums, CudaStream stream);
[[gnu::weak]] void gelu_backward_again_cuda(const GeluBackwardAgain<Bfloat16>& pass,
                                            int64_t channels, float* parts, float* sums,
                                            CudaStream stream);
[[gnu::weak]] void gelu_backward_again_cuda(const GeluBackwardAgain<double>& pass, int64_t channels,
                                            double* parts, double* sums, CudaStream stream);

// x += bias, y = gelu(x).
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<float, float>& pass, CudaStream stream);
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<Bfloat16, float>& pass,
                                        CudaStream stream);
[[gnu::weak]] void gelu_of_product_cuda(const GeluOfProduct<double, double>& pass,
                                        CudaStream stream);

}  // namespace fcm::ops
