// The auxiliary head of semantic segmentation, used in training only: mmsegmentation's FCNHead with
// one convolution (Long et al., "Fully convolutional networks for semantic segmentation", CVPR
// 2015).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/heads/classify_map.h"
#include "fcm/heads/head_pass.h"
#include "fcm/nn/conv.h"
#include "fcm/nn/observer.h"

namespace fcm::heads {

struct FcnOptions {
  int64_t in = 768;        // channels of the map
  int64_t channels = 256;  // of the head
  int64_t classes = 150;
  double dropout = 0.1;  // rate of draw_dropout, over `channels` channels
};

class Fcn {
 public:
  // Adds upstream's keys below "auxiliary_head." to the scope, in upstream's order.
  Fcn(const nn::Scope& scope, const FcnOptions& options);
  // A map [B, H, W, in] -> logits [B, H, W, classes], float32, or float64 if the map is. The
  // observer sees "convs.0".
  at::Tensor operator()(const at::Tensor& map_BHWC, const HeadPass& pass,
                        const nn::Observer& observer = {}) const;

  const FcnOptions& options() const { return options_; }

 private:
  FcnOptions options_;
  MapClassifier conv_seg_;
  nn::ConvNormAct conv_;
};

}  // namespace fcm::heads
