// Swin: stages of window attention. Windows are shifted by half a window in every other block,
// unless the map is no larger than a window, and 2 x 2 cells are merged into one between stages.
// Sources: models/swin_transformer.py and simmim.py of SimMIM; GreenMIM's green_swin_models.py for
// images with hidden patches removed. A patch is the area of one cell of the last stage. Cells that
// will merge are stored next to each other, and windows are sets of cells (masks/window_plan.h), so
// no tensor is rolled and no attention score is masked. Windows are padded only with
// Embeddings::attends_to_padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/registry.h"
#include "fcm/encoder/window_block.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::encoder {

class Swin final : public Encoder {
 public:
  Swin(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
       const Embeddings& embeddings, const Outputs& outputs);

  Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                      const nn::Observer& observer = {},
                      const nn::DropPath& drop_path = {}) const override;

 private:
  struct Stage {
    ops::Cells cells;
    int64_t window = 0;
    bool shifts = false;  // whether every other block shifts its windows
    std::vector<WindowBlock> blocks;
    // To the next stage; empty in the last.
    std::optional<nn::LayerNorm> merge_norm;
    std::optional<nn::Linear> merge;
  };
  // Appends mask tokens for the hidden slots to the cells of the kept slots: [B, L, P, C].
  at::Tensor with_mask_tokens(const at::Tensor& x_BKPC, const masks::ViewPlan& plan) const;
  static at::Tensor merged(const Stage& stage, const at::Tensor& x_BTC);

  at::Tensor mask_token_11C_;
  nn::Linear embed_;
  nn::LayerNorm embed_norm_;
  std::vector<Stage> stages_;
  std::optional<nn::LayerNorm> norm_;
  bool keeps_stages_, attends_to_padding_;
};

Family swin_family();

}  // namespace fcm::encoder
