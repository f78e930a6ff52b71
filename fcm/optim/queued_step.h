// A device-side step of AdamW: enqueued on a GPU without any sync, so that it can be captured in a
// CUDA graph and replayed.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/adamw/op.h"
#include "fcm/optim/options.h"

namespace fcm::optim {

class QueuedStep {
 public:
  // `scheduled`: sorted by begin, not overlapping. `state`: an ops::AdamWState as bytes, on the
  // device of the buffers.
  QueuedStep(const ops::AdamWBuffers& buffers, const std::vector<ops::AdamWGroupRange>& scheduled,
             const OptimOptions& options, at::Tensor state);

  // Computes the norm of the gradients. If this norm and `loss` (float64, one element, on the
  // device of the buffers) are finite, updates the weights at the learning rate in the state,
  // clipped as in the options; otherwise changes nothing but the state.
  void operator()(const at::Tensor& loss) const;

 private:
  template <class T>
  void enqueue(const at::Tensor& loss) const;

  ops::AdamWBuffers buffers_;
  OptimOptions options_;
  int64_t segment_count_;
  at::Tensor state_, scheduled_, segments_, factors_;  // bytes
  at::Tensor parts_;                                   // float64, sums of squares
};

}  // namespace fcm::optim
