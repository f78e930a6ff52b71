// Tells weights of downstream models (segmenters and detectors) from others: their encoders have
// tables and scales that no other encoder has. The one place for this decision. Links no LibTorch.
#pragma once

#include <span>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

enum class Downstream { kNone, kSegmenter, kDetector };

Downstream downstream_of(std::span<const formats::TensorView> tensors);
Downstream downstream_of(const checkpoint::Checkpoint& checkpoint);

inline bool is_downstream(const checkpoint::Checkpoint& checkpoint) {
  return downstream_of(checkpoint) != Downstream::kNone;
}

// "a segmenter", "a detector"; for kNone "an encoder".
const char* name_of(Downstream downstream);

// Throws Error(kCheckpoint) for weights of a downstream model other than `unless`. For commands
// that need a pretrained encoder or a classifier.
void refuse_downstream(const checkpoint::Checkpoint& checkpoint,
                       Downstream unless = Downstream::kNone);

}  // namespace fcm::interop
