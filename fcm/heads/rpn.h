// The region proposal network's head: what it says of the anchors at every position. Source: Ren et
// al., "Faster R-CNN", NeurIPS 2015; detectron2, StandardRPNHead with two convolutions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/conv.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

struct RpnOptions {
  int64_t channels = 256;
  int64_t anchors = 3;  // of a position
};

// Of the anchors of a map, or of several one after another, in the order of boxes/anchors.h:
// float32, or float64 where the maps are.
struct AnchorPredictions {
  at::Tensor logits_BA;   // of being an object
  at::Tensor deltas_BA4;  // boxes::kAnchorDeltas
};

class RpnHead {
 public:
  // `scope`: the published "proposal_generator.rpn_head", which gets "conv.conv0.*",
  // "conv.conv1.*", "objectness_logits.*" and "anchor_deltas.*".
  RpnHead(const nn::Scope& scope, const RpnOptions& options = {});

  // A map [B, H, W, channels] -> H * W * anchors of them. Keeps two maps for the backward pass.
  AnchorPredictions operator()(const at::Tensor& map_BHWC) const;
  // The same head on every level.
  std::vector<AnchorPredictions> operator()(const std::vector<at::Tensor>& maps_BHWC) const;

 private:
  RpnOptions options_;
  nn::Conv conv0_, conv1_;
  at::Tensor logits_weight_AC_, logits_bias_A_, deltas_weight_DC_, deltas_bias_D_;
};

// All levels as one.
AnchorPredictions of_all_levels(const std::vector<AnchorPredictions>& levels);

}  // namespace fcm::heads
