// LARS, the optimizer of upstream's linear probe.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/nn/parameters.h"

namespace fcm::optim {

struct LarsOptions {
  double weight_decay = 0;
  double momentum = 0.9;
  double trust = 0.001;
};

// ConvMAE's and MAE's util/lars.py: the learning rate of every matrix is proportional to its norm.
// With w the value and g its gradient,
//
//   g += weight_decay * w;  q = trust * |w| / |g|, or 1 if a norm is 0;  1-D: g unchanged, q = 1
//   m = momentum * m + q * g;  w -= lr * m
class Lars {
 public:
  Lars(nn::Parameters& parameters, const LarsOptions& options);

  void step(double lr);
  void zero_gradients();

  at::Tensor momenta() const { return momenta_; }  // [E], like the flat values

 private:
  nn::Parameters& parameters_;
  LarsOptions options_;
  at::Tensor momenta_;
};

}  // namespace fcm::optim
