// AdamW over one flat buffer, with the published decay groups and a guard against non-finite
// gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/parameters.h"
#include "fcm/optim/options.h"

namespace fcm::optim {

// PyTorch's AdamW: decoupled decay, bias-corrected moments. Decay applies to the parameters whose
// nn::Parameter::decays() holds (timm's rule: neither 1-D nor biases; mask_token decays).
class AdamW {
 public:
  AdamW(nn::Parameters& parameters, const OptimOptions& options);

  // Root of the sum of squares of all gradients, in float64; non-finite if any of them is.
  double gradient_norm() const;

  // One update. Gradients are multiplied by `gradient_scale` first (clipping). Counts one step.
  void step(double lr, double gradient_scale = 1.0);
  void zero_gradients();

  int64_t steps() const { return steps_; }
  void set_steps(int64_t steps) { steps_ = steps; }
  at::Tensor first_moments() const { return first_; }    // [E], as the flat values
  at::Tensor second_moments() const { return second_; }  // [E]

 private:
  // Consecutive elements with one decay.
  struct Segment {
    int64_t begin, end;
    bool decays;
  };

  nn::Parameters& parameters_;
  OptimOptions options_;
  std::vector<Segment> segments_;
  at::Tensor first_, second_;
  int64_t steps_ = 0;
};

}  // namespace fcm::optim
