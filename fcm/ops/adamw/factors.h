// Scalars of one step, shared by the operator and its kernels.
#pragma once

#include <stdint.h>

namespace fcm::ops {

// Consecutive elements with one learning rate and one weight decay.
struct AdamWSegment {
  int64_t begin, end;
  double rate;   // learning rate / (1 - beta1^t)
  double decay;  // 1 - learning rate * weight decay
};

// The scalars that all elements share.
struct AdamWFactors {
  double gradient_scale;  // gradients are multiplied by it first
  double beta1, beta2;
  double root_correction;  // 1 / sqrt(1 - beta2^t)
  double epsilon;
};

}  // namespace fcm::ops
