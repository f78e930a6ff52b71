// The coarsest of a ConvViT's four maps in segmenters, about half the size of its last stage.
// Upstream computes it with the module `fpn` of the backbone.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/conv.h"

namespace fcm::heads {

class FourthMap {
 public:
  // `scope`: upstream's "backbone", to which it adds "fpn.0.*" and "fpn.1.*".
  FourthMap(const nn::Scope& scope, int64_t channels);
  // [B, h, w, C] -> [B, (h - 3) / 2 + 1, (w - 3) / 2 + 1, C]: 3 x 3 convolution with stride 2
  // without padding, batch normalisation (in training over all of `ranks`), exact GELU. Throws
  // Error(kUsage) for maps smaller than 3 x 3.
  at::Tensor operator()(const at::Tensor& map_BHWC, const nn::Ranks& ranks) const;

 private:
  nn::Conv conv_;
  nn::BatchNorm norm_;
};

}  // namespace fcm::heads
