// Work that is recorded once and then given to the GPU again and again as one piece.
#pragma once

#include <functional>
#include <memory>

namespace fcm::ops {

class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  // Does `work` a few times as it is, so that everything that is made once is made, and then
  // records it without doing it. From then on it is the same kernels on the same addresses: what
  // `work` reads and writes must stay where it is, numbers of the CPU keep their values, and
  // nothing in it may wait for the GPU or copy from the CPU: Error(kDevice) says so of a GPU's.
  virtual void record(const std::function<void()>& work) = 0;
  // Gives the recorded work to the current stream.
  virtual void replay() = 0;
};

// By a CUDA graph, on the current device. Throws Error(kDevice) in a build without CUDA.
std::unique_ptr<RecordedWork> make_cuda_graph();

}  // namespace fcm::ops
