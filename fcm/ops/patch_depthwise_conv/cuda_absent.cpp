#include "fcm/ops/cuda/device.h"
#include "fcm/ops/patch_depthwise_conv/cuda.h"

namespace fcm::ops::patch_conv {

void forward_cuda(const CudaForward<float, float>&, CudaStream) { absent_from_this_build(); }
void forward_cuda(const CudaForward<Bfloat16, float>&, CudaStream) { absent_from_this_build(); }
void forward_cuda(const CudaForward<double, double>&, CudaStream) { absent_from_this_build(); }
int64_t cuda_parts(int64_t) { absent_from_this_build(); }
void backward_cuda(const CudaBackward<float, float>&, CudaStream) { absent_from_this_build(); }
void backward_cuda(const CudaBackward<Bfloat16, float>&, CudaStream) { absent_from_this_build(); }
void backward_cuda(const CudaBackward<double, double>&, CudaStream) { absent_from_this_build(); }

}  // namespace fcm::ops::patch_conv
