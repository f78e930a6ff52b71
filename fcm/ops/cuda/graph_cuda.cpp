#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <string>

#include "fcm/base/error.h"
#include "fcm/ops/cuda/device.h"
#include "fcm/ops/cuda/graph.h"

namespace fcm::ops {
namespace {

class CudaGraph final : public RecordedWork {
 public:
  void record(const std::function<void()>& work) override {
    try {
      warm_up_and_capture(work);
    } catch (const c10::OutOfMemoryError&) {
      throw;
    } catch (const c10::Error& error) {
      fail(ExitCode::kDevice,
           "the step cannot be captured as a CUDA graph; something in it waits for the "
           "GPU, or mixes CPU and GPU tensors: {}. Try --no-cuda-graph, which enqueues the "
           "operators one by one",
           first_line(error.what_without_backtrace()));
    }
  }

  void replay() override { graph_.replay(); }

 private:
  static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

  void warm_up_and_capture(const std::function<void()>& work) {
    constexpr int kWarmUps = 3;  // libraries pick kernels and allocate workspaces in first calls
    wait_for_cuda();
    {
      // The default stream cannot be captured. Autograd runs each backward operator on the stream
      // of its forward operator, so this one stream captures everything.
      const c10::cuda::CUDAStreamGuard on_side(c10::cuda::getStreamFromPool());
      for (int i = 0; i < kWarmUps; ++i) work();
      wait_for_cuda();
      // A capture uses its own memory pool and cannot reuse what the warm-up runs leave cached.
      c10::cuda::CUDACachingAllocator::emptyCache();
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

  // Swallows the error of the interrupted capture, so that its cause is reported instead.
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
