// The pyramid of Official-ConvMAE-Det: five maps from the backbone's last map alone. Source: Li et
// al., "Exploring plain vision transformer backbones for object detection", ECCV 2022; detectron2,
// SimpleFeaturePyramid with LastLevelMaxPool.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/heads/doubling_conv.h"
#include "fcm/nn/conv.h"
#include "fcm/nn/layers.h"

namespace fcm::heads {

struct SimplePyramidOptions {
  int64_t in = 768;  // channels of the input map; a multiple of 4
  int64_t channels = 256;
};

class SimplePyramid {
 public:
  // `scope`: upstream's "backbone", to which it adds "simfp_2.*" to "simfp_5.*".
  SimplePyramid(const nn::Scope& scope, const SimplePyramidOptions& options);

  // [B, H, W, in] of stride 16 -> p2..p6, [B, .., .., channels], of strides 4 to 64.
  std::vector<at::Tensor> operator()(const at::Tensor& map_BHWC) const;

 private:
  DoublingConv up1_p2_;
  nn::LayerNorm norm_p2_;
  DoublingConv up2_p2_;
  nn::ConvNormAct mixed_p2_, output_p2_;
  DoublingConv up_p3_;
  nn::ConvNormAct mixed_p3_, output_p3_, mixed_p4_, output_p4_, mixed_p5_, output_p5_;
};

}  // namespace fcm::heads
