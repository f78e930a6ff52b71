// The head of the region proposal network: objectness logits and box deltas of the anchors at every
// position. Source: Ren et al., "Faster R-CNN", NeurIPS 2015; detectron2, StandardRPNHead with two
// convolutions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/conv.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

struct RpnOptions {
  int64_t channels = 256;
  int64_t anchors = 3;  // per position
};

// Predictions for the anchors of one map, or of several concatenated, in the order of
// boxes/anchors.h: float32, or float64 if the maps are.
struct AnchorPredictions {
  at::Tensor logits_BA;   // objectness
  at::Tensor deltas_BA4;  // boxes::kAnchorDeltas
};

class RpnHead {
 public:
  // `scope`: upstream's "proposal_generator.rpn_head", to which it adds "conv.conv0.*",
  // "conv.conv1.*", "objectness_logits.*" and "anchor_deltas.*".
  RpnHead(const nn::Scope& scope, const RpnOptions& options = {});

  // A map [B, H, W, channels] -> predictions for all H * W * `anchors` anchors. Saves two maps for
  // backward.
  AnchorPredictions operator()(const at::Tensor& map_BHWC) const;
  // Applies the same head to every level.
  std::vector<AnchorPredictions> operator()(const std::vector<at::Tensor>& maps_BHWC) const;

 private:
  RpnOptions options_;
  nn::Conv conv0_, conv1_;
  at::Tensor logits_weight_AC_, logits_bias_A_, deltas_weight_DC_, deltas_bias_D_;
};

// Concatenates the predictions of all levels.
AnchorPredictions of_all_levels(const std::vector<AnchorPredictions>& levels);

}  // namespace fcm::heads
