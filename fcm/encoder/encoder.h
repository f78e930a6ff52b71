// What every encoder offers, so that a model can hold one of any kind (registry.h makes them).
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

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are looked at. The
  // observer sees "patch_embed1", "blocks1.0", ... (ConvVit), "patch_embed", "blocks.0", ... (Vit)
  // or "patch_embed", "layers.0.blocks.0", ... (Swin): convolution stages and "norm" as [B, K, ...]
  // or [B, K, C], stages of windows as [B, K * P, C], transformer blocks (and the ViT's norm) once
  // per run of equal views as [B * views, tokens, C], row = picture * views + view. Blocks are
  // numbered over all stages for drop_path, which goes with one kept view; blocks that attend in
  // windows (Windowed, with shared tables) take one factor a window, [B * windows].
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {},
                              const nn::DropPath& drop_path = {}) const = 0;
};

// The transformer of published detectors: its blocks attend inside windows of patches, but for some
// that attend over the whole picture, with biases by relative position (windowed_blocks.h,
// decomposed_blocks.h).
struct Windowed {
  masks::Grid grid;                    // of the pictures: of the tables
  int64_t window = 16;                 // patches a side
  std::vector<int64_t> global_blocks;  // that attend over the picture, by their number, ascending
  // Each block has a table for distances in rows and one for those in columns, and plans are full.
  // Otherwise two tables are shared by all blocks, one for those in windows and one for the others,
  // and plans are masks::plan_of_windows.
  bool decomposed = false;
  nn::Init products = nn::Init::kNormal02, convolutions = nn::Init::kFanIn;  // start values
  double conv_norm_epsilon = 1e-5;  // of the norms in blocks of convolutions
};

// Parameters that belong to no module. The published programs list them before all modules, those
// of the decoder among them, so the model adds them and hands them in.
struct Embeddings {
  // ViT, else undefined; undefined too in that of a detector, and in a tower without one.
  at::Tensor class_token_11C;
  at::Tensor register_tokens_1RC;  // of a tower that has them
  // [1, L, C]; with a class token [1, 1 + L, C], its own first; undefined where a tower has none.
  at::Tensor positions_1TC;
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
  // Those of published detectors. ConvViT and ViT.
  std::optional<Windowed> windowed = {};
  // Those of an image tower, for inference on one view of all patches. ViT.
  std::optional<Tower> tower = {};
  // Swin, as in published detectors: windows at the right and lower border are filled up with zeros
  // behind the norm, which are attended to, and no window is smaller where a map is.
  bool filled_windows = false;
};

// [1, T, C]: the positions of pictures of that grid.
at::Tensor positions(const Embeddings& embeddings, masks::Grid grid);

}  // namespace fcm::encoder
