// Four maps of different sizes from four layers of a ViT, whose outputs all have the same size: the
// neck of MAE's segmentation (mmsegmentation's Feature2Pyramid).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/heads/doubling_conv.h"
#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

class VitNeck {
 public:
  // `scope`: upstream's "neck", to which it adds "upsample_4x.*" and "upsample_2x.*".
  VitNeck(const nn::Scope& scope, int64_t channels);
  // Four maps [B, h, w, C], shallowest first -> the same maps scaled by 4, 2, 1 and 1/2 (rounded
  // down). Batch normalisation takes statistics over `ranks`; null: running statistics.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& maps_BHWC,
                                     const nn::Ranks& ranks) const;

 private:
  DoublingConv first_;
  nn::BatchNorm norm_;
  DoublingConv second_, only_;
};

}  // namespace fcm::heads
