// Fallbacks for a build without CUDA. Weak definitions: in a build with CUDA, those of *_cuda.cpp
// replace them.
#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/cuda/graph.h"
#include "fcm/ops/cuda/transfers.h"

namespace fcm::ops {
namespace {

[[noreturn]] void refuse() {
  fail(ExitCode::kDevice, "this program was built without CUDA; use --device cpu");
}

}  // namespace

[[gnu::weak]] bool cuda_built() { return false; }
[[gnu::weak]] std::string cuda_version() { return ""; }
[[gnu::weak]] std::vector<CudaDevice> cuda_devices() { return {}; }
[[gnu::weak]] std::string why_no_cuda_device() { return "this program was built without CUDA"; }
[[gnu::weak]] void use_cuda_device(int /*index*/) { refuse(); }
[[gnu::weak]] CudaStream current_cuda_stream() { refuse(); }
[[gnu::weak]] void wait_for_cuda() { refuse(); }
[[gnu::weak]] CudaMemory cuda_memory() { refuse(); }
[[gnu::weak]] void reset_peak_of_cuda_memory() { refuse(); }
[[gnu::weak]] std::unique_ptr<RecordedWork> make_cuda_graph() { refuse(); }
[[gnu::weak]] std::unique_ptr<Transfers> make_cuda_transfers() { refuse(); }

}  // namespace fcm::ops
