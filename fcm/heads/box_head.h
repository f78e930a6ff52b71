// The box head of Mask R-CNN: class logits and box deltas of regions. Source: detectron2,
// FastRCNNConvFCHead with four convolutions and one linear layer, FastRCNNOutputLayers.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/region_convs.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

struct BoxHeadOptions {
  int64_t channels = 256;  // of the feature maps
  int64_t bins = 7;        // rows and columns of a pooled region
  int64_t width = 1024;    // of the linear layer
  int64_t classes = 80;    // background excluded
  nn::MapNormOptions norm = kRegionNorm;
};

struct BoxPredictions {
  at::Tensor features_RF;  // after the linear layer and its ReLU, of the input's dtype
  // The next two are float32, or float64 if the regions are.
  at::Tensor scores_RC;  // [R, K + 1] logits, the background last
  at::Tensor deltas_RD;  // [R, 4 * K] boxes::kRegionDeltas, class-major
};

class BoxHead {
 public:
  // `scope`: upstream's "roi_heads", to which it adds "box_head.*" and "box_predictor.*".
  BoxHead(const nn::Scope& scope, const BoxHeadOptions& options);

  // Pooled features of regions (RoIAlign) [R, bins, bins, channels]; R may be 0. `ranks`: in
  // training, the processes over which batch normalisation takes statistics; null: running
  // statistics. In training all ranks have to run forward and backward, even without regions.
  BoxPredictions operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

  const BoxHeadOptions& options() const { return options_; }

 private:
  BoxHeadOptions options_;
  RegionConvs convs_;
  at::Tensor fc1_weight_, fc1_bias_, fc1_rounded_;  // columns in the order row, column, channel
  nn::Linear scores_, deltas_;
};

}  // namespace fcm::heads
