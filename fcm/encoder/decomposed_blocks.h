// The transformer of Official-ConvMAE-Det (modeling/convmae.py Block). Most blocks attend inside
// windows; an image that windows do not divide is padded with zeros at its right and lower border.
// Some blocks attend over the whole image. Each block has one bias table for distances in rows and
// one for distances in columns.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/encoder/map_blocks.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/branches/op.h"

namespace fcm::encoder {

class DecomposedBlocks final : public MapBlocks {
 public:
  DecomposedBlocks(const nn::Scope& scope, const BlockSizes& sizes, const Windowed& windowed);

  // The observer sees the output of every block as [B, L, C]; drop_path has one factor per image.
  // Throws std::logic_error unless the plan is masks::full_plan of windowed.grid.
  at::Tensor operator()(at::Tensor x_BTC, const masks::ViewPlan& plan, const nn::Observer& observer,
                        const nn::DropPath& drop_path, int64_t first = 0) const override;

 private:
  struct Block {
    Block(const nn::Scope& scope, const BlockSizes& sizes, masks::Grid reach, nn::Init products);
    nn::LayerNorm norm1;
    ops::DecomposedTables tables;
    nn::Linear qkv, proj;
    nn::MlpBranch mlp;
  };
  std::string name_;
  int64_t heads_;
  Windowed windowed_;
  std::vector<Block> blocks_;
};

}  // namespace fcm::encoder
