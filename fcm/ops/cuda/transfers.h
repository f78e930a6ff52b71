// Copies between CPU and GPU that overlap with the GPU's work, and waiting for enqueued work.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace fcm::ops {

class Transfers {
 public:
  virtual ~Transfers() = default;

  // Runs `copies` from pinned memory (at::Tensor::copy_, non-blocking) on a second stream: they
  // start at once, whatever the current stream is doing. Work enqueued on the current stream
  // afterwards waits for them. Buffers that they write must not be in use when this is called.
  virtual void upload(const std::function<void()>& copies) = 0;

  // mark(i) records the work enqueued on the current stream so far; wait(i) returns when it has
  // finished. i < kMarks; marking again replaces a mark.
  static constexpr size_t kMarks = 2;
  virtual void mark(size_t i) = 0;
  virtual void wait(size_t i) = 0;
};

// For the CPU every call completes before it returns. For a GPU: the current device; Error(kDevice)
// in a build without CUDA.
std::unique_ptr<Transfers> make_transfers(at::Device device);
std::unique_ptr<Transfers> make_cuda_transfers();

// CPU memory with the shape and type of `there`. It is pinned, for asynchronous copies, if `there`
// is on a GPU.
at::Tensor host_memory_like(const at::Tensor& there);

}  // namespace fcm::ops
