#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {

int64_t gradient_norm_parts_cuda(int64_t) { absent_from_this_build(); }
void gradient_norm_cuda(const float*, int64_t, double*, CudaStream) { absent_from_this_build(); }
void gradient_norm_cuda(const double*, int64_t, double*, CudaStream) { absent_from_this_build(); }
void adamw_begin_cuda(const AdamWBegin&, CudaStream) { absent_from_this_build(); }
void adamw_update_cuda(const AdamWUpdate<float>&, CudaStream) { absent_from_this_build(); }
void adamw_update_cuda(const AdamWUpdate<double>&, CudaStream) { absent_from_this_build(); }

}  // namespace fcm::ops
