// One step of AdamW, in place, over flat buffers.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

#include "fcm/ops/adamw/factors.h"

namespace fcm::ops {

// All [E], contiguous, of one type: float32 or float64.
struct AdamWBuffers {
  at::Tensor value_E, first_E, second_E;  // changed in place
  at::Tensor gradient_E;
};

// Segments must not overlap. Elements outside every segment stay unchanged. Every element is
// computed on its own, so the bits do not depend on threads or segment borders.
void adamw(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
           const AdamWFactors& factors);
void adamw_reference(const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                     const AdamWFactors& factors);

}  // namespace fcm::ops
