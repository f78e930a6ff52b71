// Four convolutions with norm and ReLU on the pixels of regions, with which the box and the mask
// head begin.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "fcm/nn/conv.h"

namespace fcm::heads {

// Of the regions of all ranks; the published norm of both heads.
inline constexpr nn::MapNormOptions kRegionNorm{nn::MapNormOptions::Kind::kBatch,
                                                nn::OverRanks::kWeightedRanks};

class RegionConvs {
 public:
  // Gives the scope "<stem>1.*" to "<stem>4.*".
  RegionConvs(const nn::Scope& scope, std::string_view stem, int64_t channels,
              const nn::MapNormOptions& norm);
  // [R, P, P, C] -> the same; R may be 0. In training the backward pass keeps what each
  // convolution leaves, and nothing behind its norm but the result.
  at::Tensor operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

 private:
  std::vector<nn::ConvNormAct> convs_;
};

}  // namespace fcm::heads
