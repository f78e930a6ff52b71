// The interface of every encoder, so that a model can hold any kind (registry.h makes them).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "fcm/encoder/features.h"
#include "fcm/encoder/tower.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/drop_path.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"

namespace fcm::encoder {

class Encoder {
 public:
  virtual ~Encoder() = default;

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are read. The
  // observer sees "patch_embed1", "blocks1.0", ... (ConvVit), "patch_embed", "blocks.0", ... (Vit)
  // or "patch_embed", "layers.0.blocks.0", ... (Swin). Convolution stages and "norm" are [B, K,
  // ...] or [B, K, C]; window stages are [B, K * P, C]; transformer blocks (and the ViT's norm)
  // come once per run of equal views as [B * views, tokens, C], row = image * views + view.
  // drop_path numbers blocks over all stages and has one factor per kept view; window blocks with
  // shared tables (Windowed) take one factor per window, [B * windows].
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {},
                              const nn::DropPath& drop_path = {}) const = 0;
};

// Options of the transformer of upstream detectors: most blocks attend inside windows of patches,
// some over the whole image, with relative position biases (windowed_blocks.h,
// decomposed_blocks.h).
struct Windowed {
  masks::Grid grid;                    // patches of the image, the size of the tables
  int64_t window = 16;                 // side of a window, in patches
  std::vector<int64_t> global_blocks;  // indices of blocks that attend over the image, ascending
  // True: each block has one table for distances in rows and one for columns; plans are full.
  // False: two tables are shared by all blocks, one for window blocks and one for global ones;
  // plans are masks::plan_of_windows.
  bool decomposed = false;
  nn::Init products = nn::Init::kNormal02, convolutions = nn::Init::kFanIn;  // initialisation
  double conv_norm_epsilon = 1e-5;  // of the norms in convolution blocks
};

// Parameters outside of any module. Upstream programs list those of encoder and decoder before all
// modules, so the model adds them and passes them in.
struct Embeddings {
  // ViT only; undefined in a detector's ViT and in a tower without one.
  at::Tensor class_token_11C;
  at::Tensor register_tokens_1RC;  // towers with registers only
  // [1, L, C], or [1, 1 + L, C] with the class token's position first; undefined in a tower without
  // a table.
  at::Tensor positions_1TC;
  // Replaces every cell of a hidden patch (Swin; [1, 1, C] of the first stage). If defined, the
  // encoder sees all patches of a plan and K = L; if undefined, it sees only the kept ones.
  at::Tensor mask_token_11C;
  masks::Grid grid;  // patches of the image; Swin's windows are no larger
  // Initialisation of a Swin's linear layers: Xavier uniform, as MAE, for GreenMIM; a normal of std
  // 0.02 for SimMIM and classifiers.
  nn::Init products = nn::Init::kXavierUniform;
  // Use the transformer blocks of upstream segmenters (relative_blocks.h), with tables for `grid`;
  // positions are interpolated for other grids. ConvViT and ViT, on full plans.
  bool relative_blocks = false;
  // Use the blocks of upstream detectors. ConvViT and ViT.
  std::optional<Windowed> windowed = {};
  // Use the blocks of an image tower; inference only, on one view of all patches. ViT.
  std::optional<Tower> tower = {};
  // Swin as in upstream detectors: windows at the right and lower border are padded with zeros
  // after the norm, tokens attend to the padding, and windows keep their size even on smaller maps.
  bool attends_to_padding = false;
};

// [1, T, C]: the position table, interpolated to `grid`.
at::Tensor positions(const Embeddings& embeddings, masks::Grid grid);

}  // namespace fcm::encoder
