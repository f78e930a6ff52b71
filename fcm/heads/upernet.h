// The decoder of semantic segmentation: UperNet (Xiao et al., "Unified perceptual parsing for scene
// understanding", ECCV 2018) as mmsegmentation's UPerHead computes it: pooled maps of the coarsest
// level, a pyramid from coarse to fine, all levels side by side at the finest.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <vector>

#include "fcm/heads/classify_map.h"
#include "fcm/heads/head_pass.h"
#include "fcm/nn/conv.h"
#include "fcm/nn/observer.h"

namespace fcm::heads {

struct UperNetOptions {
  std::array<int64_t, 4> in{256, 384, 768, 768};  // channels of the maps, finest first
  int64_t channels = 768;                         // of the head's own maps
  int64_t classes = 150;
  double dropout = 0.1;  // of draw_dropout, which takes `channels`
};

class UperNet {
 public:
  // Adds the published keys behind "decode_head." to the scope, in their order.
  UperNet(const nn::Scope& scope, const UperNetOptions& options);

  // Maps [B, H_i, W_i, in_i], finest first, of one type -> logits [B, H_0, W_0, classes], float32,
  // or float64 where the maps are. Maps may have any sizes: coarser ones are brought to finer ones.
  // The observer sees "psp_modules.<i>", "bottleneck", "lateral_convs.<i>", "fpn_convs.<i>" and
  // "fpn_bottleneck" behind their ReLU. Throws Error(kUsage) in training where batch normalisation
  // gets one picture in all (BatchNorm::moments).
  at::Tensor operator()(const std::vector<at::Tensor>& maps_BHWC, const HeadPass& pass,
                        const nn::Observer& observer = {}) const;

  const UperNetOptions& options() const { return options_; }

 private:
  at::Tensor coarsest(const at::Tensor& map_BHWC, const HeadPass& pass,
                      const nn::Observer& observer) const;
  // Of maps with all channels at the finest size, by far the largest, only what convolutions leave
  // is kept for the backward pass: what norm, ReLU, addition and dropout make of it is made again.
  nn::Remade finest(const at::Tensor& map_BHWC, const at::Tensor& coarser_BHWC,
                    const HeadPass& pass, const nn::Observer& observer) const;

  UperNetOptions options_;
  MapClassifier conv_seg_;
  std::vector<nn::ConvNormAct> psp_modules_;
  nn::ConvNormAct bottleneck_;
  std::vector<nn::ConvNormAct> lateral_convs_, fpn_convs_;
  nn::ConvNormAct fpn_bottleneck_;
};

}  // namespace fcm::heads
