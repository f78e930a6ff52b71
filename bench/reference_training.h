// A training step of the upstream program in PyTorch: weights by their upstream names, the loss of
// reference/, PyTorch's fused AdamW.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "bench/fused_adamw.h"
#include "bench/step_timing.h"
#include "fcm/optim/parameter_groups.h"
#include "reference/reference.h"

namespace fcm::bench {

// Copies of all parameters in their upstream shapes, float32, on their device.
reference::Weights published_weights(const nn::Parameters& parameters);

class ReferenceTraining : public Implementation {
 public:
  Parts step() final;

 protected:
  // Trains the parameters of `groups`.
  ReferenceTraining(const nn::Parameters& parameters,
                    const std::vector<optim::ParameterGroup>& groups,
                    const optim::OptimOptions& options);
  // The loss of a step, differentiable; the images are the same in every call.
  virtual at::Tensor loss() = 0;
  const reference::Weights& weights() const { return weights_; }

 private:
  at::Device device_;
  reference::Weights weights_;
  FusedAdamW adamw_;
};

}  // namespace fcm::bench
