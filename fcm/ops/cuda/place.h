// Whether a pass is taken by the kernels for CUDA, and in which queue.
#pragma once

#include <ATen/core/ATen_fwd.h>
#include <ATen/core/Tensor.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// For tensors on a GPU; in tests that compile those kernels for the CPU, for every tensor.
bool on_cuda(const at::Tensor& x);
// The same for a kernel that gets `others` as well, some of which may be empty: throws where they
// do not lie where x does, since a kernel takes every pointer for one of its device.
bool on_cuda(const at::Tensor& x, at::TensorList others);
CudaStream cuda_stream_for(const at::Tensor& x);

// False; weak, so that tests that emulate CUDA can define it in place of this library.
bool cuda_is_emulated();

}  // namespace fcm::ops
