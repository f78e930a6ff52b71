// AdamW over one flat buffer, with a learning rate and a decay for every group of parameters.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/parameters.h"
#include "fcm/optim/options.h"
#include "fcm/optim/parameter_groups.h"

namespace fcm::optim {

// PyTorch's AdamW: decoupled decay, bias-corrected moments.
class AdamW {
 public:
  // Every trainable parameter must be in exactly one group. Of the options the betas and epsilon
  // count; decay is the groups'.
  AdamW(nn::Parameters& parameters, std::vector<ParameterGroup> groups,
        const OptimOptions& options);
  // The groups of pretraining, with the decay of the options.
  AdamW(nn::Parameters& parameters, const OptimOptions& options);

  // Root of the sum of squares of all gradients, in float64; non-finite if any of them is.
  double gradient_norm() const;

  // One update at the scheduled rate `lr`, which each group scales. Gradients are multiplied by
  // `gradient_scale` first (clipping). Counts one step.
  void step(double lr, double gradient_scale = 1.0);
  void zero_gradients();

  const std::vector<ParameterGroup>& groups() const { return groups_; }
  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  at::Tensor first_moments() const { return first_; }    // [E], as the flat values
  at::Tensor second_moments() const { return second_; }  // [E]

 private:
  // Consecutive elements with one rate and one decay.
  struct Segment {
    int64_t begin, end;
    double lr_scale, weight_decay;
  };
  std::vector<size_t> groups_by_parameter() const;

  nn::Parameters& parameters_;
  std::vector<ParameterGroup> groups_;
  OptimOptions options_;
  std::vector<Segment> segments_;
  at::Tensor first_, second_;
  int64_t steps_ = 0;
};

}  // namespace fcm::optim
