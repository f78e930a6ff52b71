// The kernels of gelu on a GPU: all pointers to the GPU's memory.
#pragma once

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/gelu/kernel.h"

namespace fcm::ops {

// y = gelu(x).
void gelu_forward_cuda(const float* x, float* y, int64_t count, CudaStream stream);
void gelu_forward_cuda(const Bfloat16* x, Bfloat16* y, int64_t count, CudaStream stream);
void gelu_forward_cuda(const double* x, double* y, int64_t count, CudaStream stream);

// dx = dy * gelu'(x) and, where pass.y is not null, y = gelu(x). dx may be dy.
void gelu_backward_cuda(const GeluBackwardAgain<float>& pass, CudaStream stream);
void gelu_backward_cuda(const GeluBackwardAgain<Bfloat16>& pass, CudaStream stream);
void gelu_backward_cuda(const GeluBackwardAgain<double>& pass, CudaStream stream);

// x += bias, y = gelu(x).
void gelu_of_product_cuda(const GeluOfProduct<float, float>& pass, CudaStream stream);
void gelu_of_product_cuda(const GeluOfProduct<Bfloat16, float>& pass, CudaStream stream);
void gelu_of_product_cuda(const GeluOfProduct<double, double>& pass, CudaStream stream);

}  // namespace fcm::ops
