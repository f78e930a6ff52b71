#include "fcm/ops/cuda/place.h"

#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {

bool on_cuda(const at::Tensor& x) { return x.is_cuda() || cuda_is_emulated(); }

[[gnu::weak]] bool cuda_is_emulated() { return false; }

bool on_cuda(const at::Tensor& x, at::TensorList others) {
  for (const at::Tensor& other : others) {
    if (!other.defined() || other.numel() == 0 || other.device() == x.device()) continue;
    require(false, "expected all tensors on {}, got one of {} elements on {}", x.device().str(),
            other.numel(), other.device().str());
  }
  return on_cuda(x);
}

CudaStream cuda_stream_for(const at::Tensor& x) {
  return x.is_cuda() ? current_cuda_stream() : nullptr;
}

}  // namespace fcm::ops
