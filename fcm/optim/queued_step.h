// An update of AdamW that is decided where the parameters lie: given to a GPU as work that looks at
// nothing on the CPU, so that it can be recorded and replayed.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/ops/adamw/cuda.h"
#include "fcm/ops/adamw/op.h"
#include "fcm/optim/options.h"

namespace fcm::optim {

class QueuedStep {
 public:
  // `scheduled`: by begin, not overlapping. `state`: an ops::AdamWState as bytes, beside the
  // buffers.
  QueuedStep(const ops::AdamWBuffers& buffers, const std::vector<ops::AdamWScheduled>& scheduled,
             const OptimOptions& options, at::Tensor state);

  // The norm of the gradients and, where it and `loss` (float64, one element, beside the buffers)
  // are finite, an update at the rate in the state, clipped as the options say. Else everything but
  // the state stays as it is.
  void operator()(const at::Tensor& loss) const;

 private:
  template <class T>
  void give(const at::Tensor& loss) const;

  ops::AdamWBuffers buffers_;
  OptimOptions options_;
  int64_t segment_count_;
  at::Tensor state_, scheduled_, segments_, factors_;  // bytes
  at::Tensor parts_;                                   // float64, sums of squares
};

}  // namespace fcm::optim
