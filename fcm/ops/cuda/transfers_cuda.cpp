#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <array>

#include "fcm/ops/cuda/device.h"
#include "fcm/ops/cuda/transfers.h"

namespace fcm::ops {
namespace {

class CudaTransfers final : public Transfers {
 public:
  // Waits, because work that is still running may use memory that the allocator reuses for the
  // first uploads.
  CudaTransfers() : side_(c10::cuda::getStreamFromPool()) { wait_for_cuda(); }

  void upload(const std::function<void()>& copies) override {
    {
      const c10::cuda::CUDAStreamGuard on_side(side_);
      copies();
    }
    uploaded_.record(side_);
    uploaded_.block(c10::cuda::getCurrentCUDAStream());
  }

  void mark(size_t i) override { marks_.at(i).record(); }
  void wait(size_t i) override { marks_.at(i).synchronize(); }

 private:
  c10::cuda::CUDAStream side_;
  at::cuda::CUDAEvent uploaded_;
  std::array<at::cuda::CUDAEvent, kMarks> marks_;
};

}  // namespace

std::unique_ptr<Transfers> make_cuda_transfers() { return std::make_unique<CudaTransfers>(); }

}  // namespace fcm::ops
