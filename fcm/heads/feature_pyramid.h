// The feature pyramid of the published detector: five maps of one width from the backbone's four.
// Source: Lin et al., "Feature pyramid networks for object detection", CVPR 2017; detectron2, FPN
// with LastLevelMaxPool.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/conv.h"

namespace fcm::heads {

struct FeaturePyramidOptions {
  std::array<int64_t, 4> in{256, 384, 768, 768};  // channels of the backbone's maps, finest first
  int64_t channels = 256;
  nn::MapNormOptions norm = {};  // over ranks: one batch
};

class FeaturePyramid {
 public:
  // `scope`: the published "backbone", which gets "fpn_lateral<l>.*" and "fpn_output<l>.*" for l =
  // 2..5, both of a level before the next.
  FeaturePyramid(const nn::Scope& scope, const FeaturePyramidOptions& options);

  // s0..s3, [B, H, W, in], each twice the size of the next and of one type -> p2..p6,
  // [B, H, W, channels] of their sizes and, p6, half the last rounded up. Without ranks by running
  // statistics. Of p2's size the backward pass keeps what the two convolutions leave, and p2.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& maps_BHWC,
                                     const nn::Ranks& ranks) const;

  const FeaturePyramidOptions& options() const { return options_; }

 private:
  FeaturePyramidOptions options_;
  std::vector<nn::ConvNormAct> laterals_, outputs_;  // finest first
};

}  // namespace fcm::heads
