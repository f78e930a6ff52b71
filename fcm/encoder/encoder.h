// The interface of every encoder, so that a model can hold any kind; make_encoder (registry.h)
// constructs one.
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

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are read.
  //
  // The observer sees "patch_embed1", "blocks1.0", ... (ConvVit), "patch_embed", "blocks.0", ...
  // (Vit) or "patch_embed", "layers.0.blocks.0", ... (Swin). Outputs of convolution stages are [B,
  // K, P, C], "norm" is [B, K, C], outputs of a Swin's blocks are [B, K * P, C]. Transformer blocks
  // (and a ViT's norm) are seen once per run of equal views, with a row for each view of each
  // image: [B * views, tokens, C], row = image * views + view.
  //
  // drop_path indexes blocks over all stages and has one factor per image, for plans with one kept
  // view. Window blocks with shared tables (Windowed) have one factor per window, [B * windows].
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {},
                              const nn::DropPath& drop_path = {}) const = 0;
};

// Options of the transformer of upstream detectors (windowed_blocks.h, decomposed_blocks.h): most
// blocks attend inside windows of patches, some over the whole image, with relative position
// biases.
struct Windowed {
  masks::Grid grid;                    // patches of the image, for which the tables are built
  int64_t window = 16;                 // side of a window, in patches
  std::vector<int64_t> global_blocks;  // indices of blocks that attend over the image, ascending
  // True: each block has one table for distances in rows and one for distances in columns; plans
  // are masks::full_plan. False: all window blocks share one table and all global blocks another;
  // plans are masks::plan_of_windows.
  bool decomposed = false;
  nn::Init products = nn::Init::kNormal02, convolutions = nn::Init::kFanIn;  // initialisation
  double conv_norm_epsilon = 1e-5;  // of the norms in convolution blocks
};

// Parameters outside of any module, and options of an encoder that recipes do not have. Upstream
// programs list these parameters before those of all modules, so the model adds them first and
// passes them to the encoder.
struct Embeddings {
  // ViT only; undefined in a detector's ViT and in a tower without a class token.
  at::Tensor class_token_11C;
  at::Tensor register_tokens_1RC;  // towers with registers only
  // [1, L, C], or [1, 1 + L, C] with the class token's position first; undefined for a Swin and for
  // a tower without a table.
  at::Tensor positions_1TC;
  // Swin only: replaces every cell of a hidden patch, [1, 1, C] of the first stage. If defined, the
  // encoder sees all patches of a plan and K = L; if undefined, it sees only the kept ones.
  at::Tensor mask_token_11C;
  masks::Grid grid;  // patches of the image; limits Swin's windows, except with attends_to_padding
  // Initialisation of a Swin's linear layers: Xavier uniform for GreenMIM, as in MAE, and for
  // detectors; a normal distribution of std 0.02 for SimMIM and classifiers.
  nn::Init products = nn::Init::kXavierUniform;
  // ConvViT and ViT, on full plans: uses the transformer blocks of upstream segmenters
  // (relative_blocks.h), with tables for `grid`; positions are interpolated for other grids.
  bool relative_blocks = false;
  // ConvViT and ViT: uses the blocks of upstream detectors.
  std::optional<Windowed> windowed = {};
  // ViT, inference only, on one view of all patches: uses the blocks of an image tower.
  std::optional<Tower> tower = {};
  // Swin, as in upstream detectors: windows at the right and lower border are padded with zeros
  // after the norm, tokens attend to the padding, and windows keep their size even on smaller maps.
  bool attends_to_padding = false;
};

// [1, T, C]: the position table, interpolated to `grid`.
at::Tensor positions(const Embeddings& embeddings, masks::Grid grid);

}  // namespace fcm::encoder
