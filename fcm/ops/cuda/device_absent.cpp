#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"

namespace fcm::ops {

bool cuda_built() { return false; }
std::string cuda_version() { return ""; }
std::vector<CudaDevice> cuda_devices() { return {}; }
std::string why_no_cuda_device() { return "this program was built without CUDA"; }
void use_cuda_device(int /*index*/) { absent_from_this_build(); }
CudaStream current_cuda_stream() { absent_from_this_build(); }
void wait_for_cuda() { absent_from_this_build(); }
CudaMemory cuda_memory() { absent_from_this_build(); }
void reset_peak_of_cuda_memory() { absent_from_this_build(); }

}  // namespace fcm::ops
