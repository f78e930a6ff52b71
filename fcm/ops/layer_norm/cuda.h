// The GPU kernels of layer_norm. Arguments as in kernel.h, with all pointers to GPU memory.
#pragma once

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/layer_norm/kernel.h"

namespace fcm::ops {

[[gnu::weak]] void layer_norm_forward_cuda(const LayerNormForward<float, float>& pass,
                                           CudaStream stream);
[[gnu::weak]] void layer_norm_forward_cuda(const LayerNormForward<Bfloat16, float>& pass,
                                           CudaStream stream);
[[gnu::weak]] void layer_norm_forward_cuda(const LayerNormForward<double, double>& pass,
                                           CudaStream stream);

// Number of partial sums over rows; depends on the shape alone.
[[gnu::weak]] int64_t layer_norm_parts_cuda(int64_t rows);

// pass.dweight and pass.dbias are unused. parts: [layer_norm_parts_cuda, 2, channels], overwritten.
// sums: [2, channels], the gradients of weight and bias.
[[gnu::weak]] void layer_norm_backward_cuda(const LayerNormBackward<float, float>& pass,
                                            float* parts, float* sums, CudaStream stream);
[[gnu::weak]] void layer_norm_backward_cuda(const LayerNormBackward<Bfloat16, float>& pass,
                                            float* parts, float* sums, CudaStream stream);
[[gnu::weak]] void layer_norm_backward_cuda(const LayerNormBackward<double, double>& pass,
                                            double* parts, double* sums, CudaStream stream);

}  // namespace fcm::ops
