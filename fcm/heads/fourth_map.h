// The coarsest map of ConvViT's four, half the size of its last stage: made from out 2 by the
// published backbone's `fpn`.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/conv.h"

namespace fcm::heads {

class FourthMap {
 public:
  // `scope`: the backbone's, which gets "fpn.0.*" and "fpn.1.*".
  FourthMap(const nn::Scope& scope, int64_t channels);
  // [B, h, w, C] -> [B, (h - 3) / 2 + 1, (w - 3) / 2 + 1, C]: convolution 3 x 3 by steps of 2
  // without padding, batch normalisation (in training over all of `ranks`), exact GELU. Throws
  // Error(kUsage) for maps below 3 x 3.
  at::Tensor operator()(const at::Tensor& map_BHWC, const nn::Ranks& ranks) const;

 private:
  nn::Conv conv_;
  nn::BatchNorm norm_;
};

}  // namespace fcm::heads
