// What every encoder offers, so that a model can hold one of any kind (registry.h makes them).
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/encoder/features.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"

namespace fcm::encoder {

class Encoder {
 public:
  virtual ~Encoder() = default;

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are looked at. The
  // observer sees "patch_embed1", "blocks1.0", ... (ConvVit), "patch_embed", "blocks.0", ... (Vit)
  // or "patch_embed", "layers.0.blocks.0", ... (Swin): convolution stages and "norm" as [B, K, ...]
  // or [B, K, C], stages of windows as [B, K * P, C], transformer blocks (and the ViT's norm) once
  // per run of equal views as [B * views, tokens, C], row = picture * views + view. Blocks are
  // numbered over all stages for drop_path, which goes with one kept view.
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {},
                              const nn::DropPath& drop_path = {}) const = 0;
};

// Parameters that belong to no module. The published programs list them before all modules, those
// of the decoder among them, so the model adds them and hands them in.
struct Embeddings {
  at::Tensor class_token_11C;  // ViT, else undefined
  at::Tensor positions_1TC;    // ConvViT [1, L, C]; ViT [1, 1 + L, C], the class token's first
  // Stands for every cell of a hidden patch (Swin, [1, 1, C] of the first stage): then the encoder
  // sees all patches of a plan, and K is L. Undefined: it sees the kept ones alone.
  at::Tensor mask_token_11C;
  masks::Grid grid;  // of the pictures: Swin's windows are no larger than they are
  // How the products of a Swin start: as MAE's where GreenMIM trains it; where SimMIM does, or a
  // classifier, from a normal of deviation .02.
  nn::Init products = nn::Init::kXavierUniform;
  // The transformer's blocks are those of published segmenters (relative_blocks.h), whose tables
  // are for `grid`; positions of other grids are interpolated. ConvViT and ViT, on full plans.
  bool relative_blocks = false;
};

// [1, T, C]: the positions of pictures of that grid.
at::Tensor positions(const Embeddings& embeddings, masks::Grid grid);

}  // namespace fcm::encoder
