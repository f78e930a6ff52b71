// Four maps of different sizes from four layers of a ViT, which are all of one size: the published
// neck of MAE's segmentation (mmsegmentation's Feature2Pyramid).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

// A transposed convolution of 2 x 2 by steps of 2: windows do not overlap, so it is a product that
// makes four positions of each. Published weight [in, out, 2, 2].
class DoublingConv {
 public:
  DoublingConv(const nn::Scope& scope, int64_t channels);
  // [B, h, w, C] -> [B, 2 h, 2 w, C]
  at::Tensor operator()(const at::Tensor& map_BHWC) const;

 private:
  at::Tensor weight_IO22_, bias_O_;
};

class VitNeck {
 public:
  // `scope`: the published "neck", which gets "upsample_4x.*" and "upsample_2x.*".
  VitNeck(const nn::Scope& scope, int64_t channels);
  // Four maps [B, h, w, C], shallowest first -> of sides 4, 2, 1 and 1/2 (rounded down) times
  // theirs. Batch normalisation in training is over all of `ranks`.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& maps_BHWC,
                                     const nn::Ranks& ranks) const;

 private:
  DoublingConv first_;
  nn::BatchNorm norm_;
  DoublingConv second_, only_;
};

}  // namespace fcm::heads
