#include "fcm/ops/cuda/device.h"
#include "fcm/ops/patch_loss/cuda.h"

namespace fcm::ops {

int64_t patch_loss_parts_cuda(int64_t) { absent_from_this_build(); }
void patch_loss_forward_cuda(const PatchLossRows<float, float>&, double*, float*, CudaStream) {
  absent_from_this_build();
}
void patch_loss_forward_cuda(const PatchLossRows<Bfloat16, float>&, double*, float*, CudaStream) {
  absent_from_this_build();
}
void patch_loss_forward_cuda(const PatchLossRows<double, double>&, double*, double*, CudaStream) {
  absent_from_this_build();
}
void patch_loss_backward_cuda(const PatchLossRows<float, float>&, const float*, float*,
                              CudaStream) {
  absent_from_this_build();
}
void patch_loss_backward_cuda(const PatchLossRows<Bfloat16, float>&, const float*, Bfloat16*,
                              CudaStream) {
  absent_from_this_build();
}
void patch_loss_backward_cuda(const PatchLossRows<double, double>&, const double*, double*,
                              CudaStream) {
  absent_from_this_build();
}

}  // namespace fcm::ops
