// The decode head of semantic segmentation: UperNet (Xiao et al., "Unified perceptual parsing for
// scene understanding", ECCV 2018) as in mmsegmentation's UPerHead. It pools the coarsest level at
// four sizes, adds coarser levels to finer ones, and mixes all levels at the finest size.
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
  double dropout = 0.1;  // rate of draw_dropout, over `channels` channels
};

class UperNet {
 public:
  // Adds upstream's keys below "decode_head." to the scope, in upstream's order.
  UperNet(const nn::Scope& scope, const UperNetOptions& options);

  // Maps [B, H_i, W_i, in_i], finest first, of one dtype -> logits [B, H_0, W_0, classes], float32,
  // or float64 if the maps are. Maps may have any sizes: a coarser map is upsampled to the finer.
  // The observer sees "psp_modules.<i>", "bottleneck", "lateral_convs.<i>", "fpn_convs.<i>" and
  // "fpn_bottleneck" after their ReLU. Throws Error(kUsage) in training if batch normalisation gets
  // one image over all ranks (BatchNorm::moments).
  at::Tensor operator()(const std::vector<at::Tensor>& maps_BHWC, const HeadPass& pass,
                        const nn::Observer& observer = {}) const;

  const UperNetOptions& options() const { return options_; }

 private:
  at::Tensor coarsest(const at::Tensor& map_BHWC, const HeadPass& pass,
                      const nn::Observer& observer) const;
  // Maps with all channels at the finest size are by far the largest. Of these, only the outputs of
  // convolutions are saved for backward; norm, ReLU, addition and dropout are recomputed.
  nn::Recomputed finest(const at::Tensor& map_BHWC, const at::Tensor& coarser_BHWC,
                        const HeadPass& pass, const nn::Observer& observer) const;

  UperNetOptions options_;
  MapClassifier conv_seg_;
  std::vector<nn::ConvNormAct> psp_modules_;
  nn::ConvNormAct bottleneck_;
  std::vector<nn::ConvNormAct> lateral_convs_, fpn_convs_;
  nn::ConvNormAct fpn_bottleneck_;
};

}  // namespace fcm::heads
