// Whether a pass is taken by the kernels for CUDA, and in which queue.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// For tensors on a GPU; in tests that compile those kernels for the CPU, for every tensor.
bool on_cuda(const at::Tensor& x);
CudaStream cuda_stream_for(const at::Tensor& x);

// False. Tests that emulate CUDA define it in place of this library.
bool cuda_is_emulated();

}  // namespace fcm::ops
