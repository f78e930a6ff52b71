// AdamW as its paper and PyTorch state it, one tensor at a time: what optim's is tested against.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::reference {

struct AdamWMoments {
  at::Tensor first, second;  // undefined before the first step
  int64_t steps = 0;
};

// One update of `value` in place, by its gradient. Decoupled decay, bias-corrected moments.
// Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2.
void adamw_step(at::Tensor& value, const at::Tensor& gradient, AdamWMoments& moments, double lr,
                double weight_decay, double beta1, double beta2, double epsilon);

}  // namespace fcm::reference
