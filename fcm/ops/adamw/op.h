// One update of AdamW, in place, over flat buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace fcm::ops {

// All [E], contiguous, of one type: float32 or float64.
struct AdamWBuffers {
  at::Tensor value_E, first_E, second_E;  // changed in place
  at::Tensor gradient_E;
};

// Consecutive elements with one rate and one decay.
struct AdamWSegment {
  int64_t begin, end;
  double rate;   // learning rate / (1 - beta1^t)
  double decay;  // 1 - learning rate * weight decay
};

// The same for all elements.
struct AdamWFactors {
  double gradient_scale;  // gradients are multiplied by it first
  double beta1, beta2;
  double root_correction;  // 1 / sqrt(1 - beta2^t)
  double epsilon;
};

// Elements outside every segment stay as they are; segments must not overlap. Every element is on
// its own, so that the bits do not depend on threads or segment borders.
void adamw(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
           const AdamWFactors& factors);
void adamw_reference(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                     const AdamWFactors& factors);

}  // namespace fcm::ops
