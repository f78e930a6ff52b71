#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "fcm/ops/cuda/device.h"
#include "fcm/ops/cuda/graph.h"

namespace fcm::ops {
namespace {

class CudaGraph final : public RecordedWork {
 public:
  void record(const std::function<void()>& work) override {
    constexpr int kWarmUps = 3;  // libraries choose kernels and take workspaces in the first calls
    wait_for_cuda();
    {
      // The default stream cannot be recorded. Autograd runs each backward step on the stream of
      // its forward step, so that this one stream sees all of it.
      const c10::cuda::CUDAStreamGuard on_side(c10::cuda::getStreamFromPool());
      for (int i = 0; i < kWarmUps; ++i) work();
      wait_for_cuda();
      graph_.capture_begin();
      try {
        work();
      } catch (...) {
        end_failed_capture();
        throw;
      }
      graph_.capture_end();
    }
    wait_for_cuda();
  }

  void replay() override { graph_.replay(); }

 private:
  // What made the recording fail is the error to report, not that the recording was cut short.
  void end_failed_capture() noexcept {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {
    }
  }

  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<RecordedWork> make_cuda_graph() { return std::make_unique<CudaGraph>(); }

}  // namespace fcm::ops
