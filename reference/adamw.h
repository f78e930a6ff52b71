// AdamW as in its paper and in PyTorch, one tensor at a time: the oracle for fcm/optim.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::reference {

struct AdamWMoments {
  at::Tensor first, second;  // undefined before the first step
  int64_t steps = 0;
};

// Updates `value` in place. Decoupled weight decay, bias-corrected moments.
// Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, algorithm 2.
void adamw_step(at::Tensor& value, const at::Tensor& gradient, AdamWMoments& moments, double lr,
                double weight_decay, double beta1, double beta2, double epsilon);

}  // namespace fcm::reference
