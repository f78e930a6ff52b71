// The box head of Mask R-CNN: what class a region is, and how its box has to move. Source:
// detectron2, FastRCNNConvFCHead with four convolutions and one linear layer, FastRCNNOutputLayers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/region_convs.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

struct BoxHeadOptions {
  int64_t channels = 256;  // of the maps
  int64_t bins = 7;        // of a region's rows, and of its columns
  int64_t width = 1024;    // of the linear layer
  int64_t classes = 80;    // without the background
  nn::MapNormOptions norm = kRegionNorm;
};

struct BoxPredictions {
  at::Tensor features_RF;  // behind the linear layer and its ReLU, of the type of the regions
  // float32, or float64 where the regions are.
  at::Tensor scores_RC;  // [R, K + 1] logits, the last is the background's
  at::Tensor deltas_RD;  // [R, 4 * K] boxes::kRegionDeltas, class-major
};

class BoxHead {
 public:
  // `scope`: the published "roi_heads", which gets "box_head.*" and "box_predictor.*".
  BoxHead(const nn::Scope& scope, const BoxHeadOptions& options);

  // Pixels of regions [R, bins, bins, channels]; R may be 0. Without ranks by running statistics;
  // in training all ranks have to call it, forward and backward, regions or not.
  BoxPredictions operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  const BoxHeadOptions& options() const { return options_; }

 private:
  BoxHeadOptions options_;
  RegionConvs convs_;
  at::Tensor fc1_weight_, fc1_bias_, fc1_rounded_;  // columns in the order row, column, channel
  nn::Linear scores_, deltas_;
};

}  // namespace fcm::heads
