// A transformer block whose tokens attend inside sets, with biases by relative position.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/nn/layers.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::encoder {

struct WindowBlockOptions {
  int64_t dim = 0, heads = 0;
  int64_t table_rows = 0;  // of its own published table of biases; 0: it has none
  double mlp_ratio = 4, norm_epsilon = nn::kNormEpsilon;
  nn::Init products = nn::Init::kNormal02, table = nn::Init::kNormal02;
  // Both branches are multiplied with a number a channel, "gamma_1" and "gamma_2", from 1 on
  // (LayerScale).
  bool layer_scale = false;
};

// The published SwinTransformerBlock, and the Block of ConvMAE's and MAE's segmenters and
// detectors: x [B, T, C] -> the same.
class WindowBlock {
 public:
  WindowBlock(const nn::Scope& scope, const WindowBlockOptions& options);
  // table_RH: what `sets` take of published_table(), or one that blocks share.
  at::Tensor operator()(const at::Tensor& x_BTC, const ops::WindowSets& sets,
                        const at::Tensor& table_RH, const nn::BranchScales& scales = {}) const;
  const at::Tensor& published_table() const { return table_RH_; }

 private:
  at::Tensor gamma1_C_, gamma2_C_;  // undefined without LayerScale
  nn::LayerNorm norm1_;
  at::Tensor table_RH_;
  nn::Linear qkv_, proj_;
  nn::MlpBranch mlp_;
};

}  // namespace fcm::encoder
