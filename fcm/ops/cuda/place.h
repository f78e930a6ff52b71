// Whether an operator runs its CUDA kernels, and on which stream.
#pragma once

#include <ATen/core/ATen_fwd.h>
#include <ATen/core/Tensor.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// True for tensors on a GPU; in tests that compile those kernels for the CPU, for every tensor.
bool on_cuda(const at::Tensor& x);
// The same for a kernel that also takes `others`: throws if a non-empty one is on another device
// than x, because a kernel assumes that all pointers are to its own device.
bool on_cuda(const at::Tensor& x, at::TensorList others);
CudaStream cuda_stream_for(const at::Tensor& x);

// Returns false; weak, so that tests that emulate CUDA can override it.
bool cuda_is_emulated();

}  // namespace fcm::ops
