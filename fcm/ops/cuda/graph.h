// A sequence of GPU operations that is captured once and then replayed as a whole.
#pragma once

#include <functional>
#include <memory>

namespace fcm::ops {

class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
  // Runs `work` a few times to warm up (allocations, library initialisation), then captures it
  // without running it. Replays launch the same kernels on the same addresses: buffers that `work`
  // reads and writes must not move, and host scalars are frozen. `work` must neither sync with the
  // GPU nor copy from pageable CPU memory: on a GPU the capture then throws Error(kDevice).
  virtual void record(const std::function<void()>& work) = 0;
  // Enqueues the captured work on the current stream.
  virtual void replay() = 0;
};

// As a CUDA graph on the current device. Throws Error(kDevice) in a build without CUDA.
std::unique_ptr<RecordedWork> make_cuda_graph();

}  // namespace fcm::ops
