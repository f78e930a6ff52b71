// Four convolutions with norm and ReLU on the pooled features of regions: the first layers of the
// box and the mask head.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "fcm/nn/conv.h"

namespace fcm::heads {

// Upstream's norm in the box and the mask head: statistics over the regions of all ranks.
inline constexpr nn::MapNormOptions kRegionNorm{nn::MapNormOptions::Kind::kBatch,
                                                nn::OverRanks::kWeightedRanks};

class RegionConvs {
 public:
  // Adds "<stem>1.*" to "<stem>4.*" to the scope.
  RegionConvs(const nn::Scope& scope, std::string_view stem, int64_t channels,
              const nn::MapNormOptions& norm);
  // [R, P, P, C] -> [R, P, P, C]; R may be 0. In training, each convolution's output and the result
  // are saved for backward; norms and ReLUs are recomputed.
  at::Tensor operator()(const at::Tensor& pooled_RPPC, const nn::Ranks& ranks) const;

 private:
  std::vector<nn::ConvNormAct> convs_;
};

}  // namespace fcm::heads
