// ViT with a class token, on patches in plan order. Source: models_mae.py forward_encoder and
// models_vit.py. Upstream's random_masking drops tokens; here the plan lists the kept ones. Each
// kept view is a sequence of its own, with the class token first; with one kept view this is MAE.
// A detector's ViT has no class token, and all patches of an image are one sequence. Image towers
// (tower.h) may have no class token, may have registers after it, and a norm before the blocks.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/registry.h"
#include "fcm/nn/layers.h"

namespace fcm::encoder {

class Vit final : public Encoder {
 public:
  Vit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
      Embeddings embeddings, const Outputs& outputs);

  // With masks::full_plan, as in a classifier, patch tokens are [B, L, C] and class tokens [B, 1,
  // C].
  Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      const nn::Observer& observer = {},
                      const nn::DropPath& drop_path = {}) const override;

 private:
  // The tokens before the patches of every view (class token, registers), [1, F, C] of dtype
  // `compute`; undefined: there are none. table_TC: the position table.
  at::Tensor front_tokens(const at::Tensor& table_TC, at::ScalarType compute) const;
  // The rest of the forward pass in detectors. x_BLC: patch tokens with their positions added.
  Features without_class_token(const at::Tensor& x_BLC, const masks::ViewPlan& plan,
                               const nn::Observer& observer, const nn::DropPath& drop_path) const;

  Embeddings embeddings_;
  nn::Linear embed_;
  std::optional<nn::LayerNorm> norm_before_;  // in towers that have one
  std::unique_ptr<MapBlocks> map_blocks_;     // in segmenters, detectors and towers
  nn::Blocks blocks_;                         // otherwise
  std::optional<nn::LayerNorm> norm_;
  Outputs outputs_;
};

Family vit_family();

}  // namespace fcm::encoder
