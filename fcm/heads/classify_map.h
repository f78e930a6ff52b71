// The last layer of the segmentation heads: class logits at every position of a map.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/head_pass.h"
#include "fcm/nn/conv.h"

namespace fcm::heads {

// Dropout2d, then upstream's conv_seg, a 1 x 1 convolution with bias.
class MapClassifier {
 public:
  // Adds "weight" and "bias" to the scope.
  MapClassifier(const nn::Scope& scope, int64_t channels, int64_t classes);
  // A map [B, H, W, C] -> logits [B, H, W, classes], float32, or float64 if the map is.
  at::Tensor operator()(const nn::Recomputed& map, const HeadPass& pass) const;

 private:
  nn::Conv conv_;
};

}  // namespace fcm::heads
