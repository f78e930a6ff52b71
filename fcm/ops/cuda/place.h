// Whether an operator runs its CUDA kernels, and on which stream.
#pragma once

#include <ATen/core/ATen_fwd.h>
#include <ATen/core/Tensor.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// True for tensors on a GPU, and for every tensor in tests that compile the CUDA kernels for the
// CPU.
bool on_cuda(const at::Tensor& x);
// on_cuda(x) for a kernel that also takes `others`. Throws if one of them has elements and is on
// another device than x, because a kernel assumes that all pointers are to its own device.
bool on_cuda(const at::Tensor& x, at::TensorList others);
CudaStream cuda_stream_for(const at::Tensor& x);

// Returns false. It is a weak symbol, which tests that emulate CUDA override.
bool cuda_is_emulated();

}  // namespace fcm::ops
