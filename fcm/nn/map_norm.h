// The norm after a convolution of maps [B, H, W, C], and the ReLU that may follow it.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <variant>

#include "fcm/nn/batch_norm_maps.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/recomputed.h"

namespace fcm::nn {

struct MapNormOptions {
  enum class Kind {
    kBatch,  // batch normalisation, epsilon 1e-5
    kLayer,  // LayerNorm over the channels of each position, epsilon 1e-6 (ViTDet's heads)
  };
  Kind kind = Kind::kBatch;
  OverRanks over_ranks = OverRanks::kOneBatch;  // for kBatch
};

class MapNorm {
 public:
  // Adds weight and bias; for kBatch the running statistics too.
  MapNorm(const Scope& scope, int64_t channels, const MapNormOptions& options = {});

  // The normalised x [..., C], with `relu` after ReLU, computed lazily. In evaluation without
  // gradients kBatch overwrites x immediately. kLayer ignores ranks.
  Recomputed operator()(const at::Tensor& x, const Ranks& ranks, bool relu) const;

 private:
  std::variant<BatchNorm, LayerNorm> norm_;
};

}  // namespace fcm::nn
