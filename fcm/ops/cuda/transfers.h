// Copies between the CPU and a GPU beside the GPU's work, and knowing when work is done.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>
#include <memory>

namespace fcm::ops {

class Transfers {
 public:
  virtual ~Transfers() = default;

  // Gives the device `copies` from pinned memory (at::Tensor::copy_, non-blocking) in a second
  // queue: they begin at once, whatever the device is doing. What is given to the current queue
  // afterwards begins when they are done. What they write must be out of use when this is called.
  virtual void upload(const std::function<void()>& copies) = 0;

  // mark(i) notes what has been given to the current queue so far; wait(i) returns when that is
  // done. i < kMarks; a mark is moved by marking again.
  static constexpr size_t kMarks = 2;
  virtual void mark(size_t i) = 0;
  virtual void wait(size_t i) = 0;
};

// For the CPU everything is done when a call returns. For a GPU: the current one; Error(kDevice) in
// a build without CUDA.
std::unique_ptr<Transfers> make_transfers(at::Device device);
std::unique_ptr<Transfers> make_cuda_transfers();

// Memory of the CPU like `there` in shape and type, from which and to which a GPU copies by itself.
at::Tensor host_memory_like(const at::Tensor& there);

}  // namespace fcm::ops
