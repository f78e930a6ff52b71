#include "fcm/ops/cuda/device.h"
#include "fcm/ops/patchify/cuda.h"

namespace fcm::ops {

void patchify_cuda(const PatchifyCuda&, float*, CudaStream) { absent_from_this_build(); }
void patchify_cuda(const PatchifyCuda&, Bfloat16*, CudaStream) { absent_from_this_build(); }
void patchify_cuda(const PatchifyCuda&, double*, CudaStream) { absent_from_this_build(); }

}  // namespace fcm::ops
