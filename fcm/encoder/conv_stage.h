// A convolution stage: patch embedding, then blocks of pointwise and depthwise convolutions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/nn/cost.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::encoder {

// Upstream's PatchEmbed: a convolution whose stride equals its kernel size, LayerNorm, then GELU.
// x [B, K, P, side * side * in] -> [B, K, P, out].
class PatchEmbed {
 public:
  PatchEmbed(const nn::Scope& scope, int64_t in, int64_t out, int64_t side,
             nn::Init init = nn::Init::kFanIn);
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  nn::Linear proj_;
  nn::LayerNorm norm_;
};

// LayerNorm epsilon in upstream's PatchEmbed and CBlock. Official-ConvMAE-Det has another one in
// its CBlocks (Windowed::conv_norm_epsilon).
inline constexpr double kConvNormEpsilon = 1e-5;

// Upstream's CBlock on cells in plan order: x [B, K, P, C] -> [B, K, P, C]. neighbours_BK9: the
// rows of ViewPlan::neighbours_BL9 for the kept slots.
class ConvBlock {
 public:
  ConvBlock(const nn::Scope& scope, int64_t dim, double mlp_ratio,
            double norm_epsilon = kConvNormEpsilon, nn::Init init = nn::Init::kFanIn);
  at::Tensor operator()(const at::Tensor& x_BKPC, const at::Tensor& neighbours_BK9,
                        const ops::Cells& cells, const nn::BranchScales& scales = {}) const;

 private:
  nn::LayerNorm norm1_;
  nn::Linear conv1_, conv2_;
  at::Tensor depthwise_weight_TC_, depthwise_bias_C_;
  nn::MlpBranch mlp_;
};

// The cost of `depth` ConvBlocks on `cells` cells.
nn::Cost conv_blocks_cost(int64_t depth, int64_t cells, int64_t dim, double mlp_ratio);

}  // namespace fcm::encoder
