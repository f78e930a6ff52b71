// ViT with a class token, on patches in plan order.
// Source: models_mae.py forward_encoder and models_vit.py. There, random_masking drops tokens; here
// the plan lists the kept ones. Each kept view is a sequence of its own with the class token in
// front; with one view kept that is MAE.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/registry.h"
#include "fcm/encoder/relative_blocks.h"
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
  Embeddings embeddings_;
  nn::Linear embed_;
  std::optional<RelativeBlocks> relative_blocks_;  // Embeddings::relative_blocks
  nn::Blocks blocks_;                              // else
  std::optional<nn::LayerNorm> norm_;
  bool keeps_stages_;
};

Family vit_family();

}  // namespace fcm::encoder
