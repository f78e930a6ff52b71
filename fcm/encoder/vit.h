// ViT with a class token, on patches in plan order.
// Source: models_mae.py forward_encoder and models_vit.py. There, random_masking drops tokens; here
// the plan lists the kept ones. Each kept view is a sequence of its own with the class token in
// front; with one view kept that is MAE. In detectors there is no class token, and all patches of a
// picture are one sequence. Image towers (tower.h) may have registers behind the class token, or no
// token at all in front, and a norm before the blocks.
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

  // Classifiers, on a full plan: patch tokens [B, L, C] and class tokens [B, 1, C].
  Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      const nn::Observer& observer = {},
                      const nn::DropPath& drop_path = {}) const override;

 private:
  // What stands in front of the patches of every view, [1, F, C] of that type; undefined: nothing.
  // table_TC: the positions.
  at::Tensor front_tokens(const at::Tensor& table_TC, at::ScalarType compute) const;
  // Of tokens that have their positions.
  Features without_class_token(const at::Tensor& x_BLC, const masks::ViewPlan& plan,
                               const nn::Observer& observer, const nn::DropPath& drop_path) const;

  Embeddings embeddings_;
  nn::Linear embed_;
  std::optional<nn::LayerNorm> norm_before_;  // of towers that have one
  std::unique_ptr<MapBlocks> map_blocks_;     // of segmenters, detectors and towers
  nn::Blocks blocks_;                         // else
  std::optional<nn::LayerNorm> norm_;
  Outputs outputs_;
};

Family vit_family();

}  // namespace fcm::encoder
