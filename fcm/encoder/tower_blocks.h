// The transformer of upstream image towers that serve as teachers. The options (tower.h)
// select LayerScale, a variant of GELU and rotary positions. Sources: dinov2/layers/block.py,
// dinov3/layers/block.py, open_clip's transformer.py, transformers' modeling_siglip.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/encoder/map_blocks.h"
#include "fcm/encoder/rotary.h"
#include "fcm/encoder/tower.h"
#include "fcm/nn/layers.h"

namespace fcm::encoder {

// Pre-norm block, inference only. x [B, T, C] -> [B, T, C]. Parameters have timm's names.
class TowerBlock {
 public:
  TowerBlock(const nn::Scope& scope, const BlockSizes& sizes, const Tower& tower);

  // rotation: applied to the last tokens (the patches); nullptr: no rotary positions.
  at::Tensor operator()(const at::Tensor& x_BTC, const Rotation* rotation) const;

 private:
  at::Tensor attention_branch(const at::Tensor& x_BTC, const Rotation* rotation) const;
  at::Tensor mlp_branch(const at::Tensor& x_BTC) const;

  int64_t heads_;
  Gelu gelu_;
  nn::LayerNorm norm1_;
  nn::Linear qkv_, proj_;
  at::Tensor scale1_C_;  // undefined: no LayerScale
  nn::LayerNorm norm2_;
  nn::Linear fc1_, fc2_;
  at::Tensor scale2_C_;
};

class TowerBlocks final : public MapBlocks {
 public:
  TowerBlocks(const nn::Scope& scope, const BlockSizes& sizes, const Tower& tower);

  // x [B, T, C]: class token and registers, if any, then all patches of the plan in slot order. The
  // observer is called as by nn::Blocks. Throws std::logic_error if gradients are enabled, if there
  // is a drop_path, or if the plan has more than one view.
  at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan, const nn::Observer& observer,
                        const nn::DropPath& drop_path, int64_t first = 0) const override;

 private:
  std::string name_;
  int64_t head_dim_;
  double rotary_base_;
  std::vector<TowerBlock> blocks_;
};

}  // namespace fcm::encoder
