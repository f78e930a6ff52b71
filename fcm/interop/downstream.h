// Tells the weights of downstream models (segmenters and detectors) from other weights, because
// their encoders have other tensors than pretrained ones (relative position tables, LayerScale,
// norms of maps). All code that needs this decision uses this header. Links no LibTorch.
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

// Throws Error(kCheckpoint) for weights of a downstream model, except of the kind `unless`. For
// commands that need a pretrained encoder or a classifier.
void refuse_downstream(const checkpoint::Checkpoint& checkpoint,
                       Downstream unless = Downstream::kNone);

}  // namespace fcm::interop
