// A transformer block whose tokens attend inside sets of tokens, with relative position biases.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/nn/layers.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::encoder {

struct WindowBlockOptions {
  int64_t dim = 0, heads = 0;
  int64_t table_rows = 0;  // rows of the block's own bias table, upstream's layout; 0: it has none
  double mlp_ratio = 4, norm_epsilon = nn::kNormEpsilon;
  nn::Init products = nn::Init::kNormal02, table = nn::Init::kNormal02;
  // LayerScale: a factor per channel on both branches, "gamma_1" and "gamma_2", initially 1.
  bool layer_scale = false;
};

// Upstream's SwinTransformerBlock, and the Block of ConvMAE's and MAE's segmenters and of ConvMAE's
// and MIMDet's detectors. x [B, T, C] -> [B, T, C].
class WindowBlock {
 public:
  WindowBlock(const nn::Scope& scope, const WindowBlockOptions& options);
  // table_RH: the bias table whose rows are indexed by `sets`. It is upstream_table(), derived from
  // it, or shared by several blocks.
  at::Tensor operator()(const at::Tensor& x_BTC, const ops::WindowSets& sets,
                        const at::Tensor& table_RH, const nn::BranchScales& scales = {}) const;
  const at::Tensor& upstream_table() const { return table_RH_; }

 private:
  at::Tensor gamma1_C_, gamma2_C_;  // undefined without LayerScale
  nn::LayerNorm norm1_;
  at::Tensor table_RH_;
  nn::Linear qkv_, proj_;
  nn::MlpBranch mlp_;
};

}  // namespace fcm::encoder
