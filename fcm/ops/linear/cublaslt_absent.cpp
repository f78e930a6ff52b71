#include "fcm/ops/cuda/device.h"
#include "fcm/ops/linear/gemm.h"

namespace fcm::ops {

bool run_gemm(const Gemm&, const GemmPointers&, CudaStream) { absent_from_this_build(); }

}  // namespace fcm::ops
