// What every encoder offers, so that a model can hold one of any kind (registry.h makes them).
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/encoder/features.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"

namespace fcm::encoder {

class Encoder {
 public:
  virtual ~Encoder() = default;

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are looked at. The
  // observer sees "patch_embed1", "blocks1.0", ... (ConvVit) or "patch_embed", "blocks.0", ...
  // (Vit): convolution stages and "norm" as [B, K, ...] or [B, K, C], transformer blocks (and the
  // ViT's norm) once per run of equal views as [B * views, tokens, C], row = picture * views +
  // view. Blocks are numbered over all stages for drop_path, which goes with one kept view.
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {},
                              const nn::DropPath& drop_path = {}) const = 0;
};

// Parameters that belong to no module. The published programs list them before all modules, those
// of the decoder among them, so the model adds them and hands them in.
struct Embeddings {
  at::Tensor class_token_11C;  // ViT, else undefined
  at::Tensor positions_1TC;    // ConvViT [1, L, C]; ViT [1, 1 + L, C], the class token's first
};

}  // namespace fcm::encoder
