// Weights of what stands on an encoder and changes it: segmenters and detectors, whose encoders
// have tables and scales that no other one has. One place for whoever has to tell them apart. Links
// no LibTorch.
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

// "a segmenter", "a detector"; of kNone "an encoder".
const char* name_of(Downstream downstream);

// Throws Error(kCheckpoint) where the weights are one's of the two, but of `unless`: for commands
// that want an encoder of pretraining or a classifier.
void refuse_downstream(const checkpoint::Checkpoint& checkpoint,
                       Downstream unless = Downstream::kNone);

}  // namespace fcm::interop
