#include "fcm/ops/cuda/place.h"

#include "fcm/ops/cuda/device.h"

namespace fcm::ops {

bool on_cuda(const at::Tensor& x) { return x.is_cuda() || cuda_is_emulated(); }

CudaStream cuda_stream_for(const at::Tensor& x) {
  return x.is_cuda() ? current_cuda_stream() : nullptr;
}

}  // namespace fcm::ops
