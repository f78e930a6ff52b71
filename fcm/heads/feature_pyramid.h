// The feature pyramid of upstream detectors: five maps with the same number of channels from the
// backbone's four. Source: Lin et al., "Feature pyramid networks for object detection", CVPR 2017;
// detectron2, FPN with LastLevelMaxPool.
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
  nn::MapNormOptions norm = {};  // by default batch normalisation over the images of all ranks
};

class FeaturePyramid {
 public:
  // `scope`: upstream's "backbone", to which it adds "fpn_lateral<l>.*", then "fpn_output<l>.*",
  // for l = 2, 3, 4, 5.
  FeaturePyramid(const nn::Scope& scope, const FeaturePyramidOptions& options);

  // Four maps [B, H, W, in] of one dtype, each twice the size of the next -> p2..p6, [B, H, W,
  // channels]. p2..p5 have the sizes of the inputs, p6 half the size of p5, rounded up. Null ranks:
  // uses running statistics. At p2's size, the outputs of the two convolutions and p2 are saved for
  // backward.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& maps_BHWC,
                                     const nn::Ranks& ranks) const;

  const FeaturePyramidOptions& options() const { return options_; }

 private:
  FeaturePyramidOptions options_;
  std::vector<nn::ConvNormAct> laterals_, outputs_;  // finest first
};

}  // namespace fcm::heads
