#include "fcm/encoder/decomposed_blocks.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/encoder/windowed_blocks.h"
#include "fcm/masks/window_plan.h"

namespace fcm::encoder {

// Members are declared in upstream's parameter order. reach: the rows and columns of tokens that
// one token attends to.
DecomposedBlocks::Block::Block(const nn::Scope& scope, const BlockSizes& sizes, masks::Grid reach,
                               nn::Init products)
    : norm1(scope / "norm1", sizes.dim, sizes.norm_epsilon),
      tables{
          (scope / "attn")
              .add("rel_pos_h", {2 * reach.rows - 1, sizes.dim / sizes.heads}, nn::Init::kZeros),
          (scope / "attn")
              .add("rel_pos_w", {2 * reach.cols - 1, sizes.dim / sizes.heads}, nn::Init::kZeros)},
      qkv(scope / "attn" / "qkv", sizes.dim, 3 * sizes.dim, products),
      proj(scope / "attn" / "proj", sizes.dim, sizes.dim, products),
      mlp(nn::MlpBranch::linear(scope / "norm2", scope / "mlp", sizes.dim, sizes.mlp_ratio,
                                sizes.norm_epsilon, products)) {}

DecomposedBlocks::DecomposedBlocks(const nn::Scope& scope, const BlockSizes& sizes,
                                   const Windowed& windowed)
    : name_(sizes.name), heads_(sizes.heads), windowed_(windowed) {
  for (int64_t i = 0; i < sizes.depth; ++i) {
    const masks::Grid reach =
        is_global(windowed, i) ? windowed.grid : masks::Grid{windowed.window, windowed.window};
    blocks_.emplace_back(scope / name_ / i, sizes, reach, windowed.products);
  }
}

at::Tensor DecomposedBlocks::operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                        const nn::Observer& observer, const nn::DropPath& drop_path,
                                        int64_t first) const {
  const masks::Grid grid = windowed_.grid;
  require(plan.sizes.size() == 1 && plan.kept == 1 && plan.grid.rows == grid.rows &&
              plan.grid.cols == grid.cols,
          "decomposed blocks: got a plan of {} views of {} x {} patches, expected masks::full_plan "
          "of {} x "
          "{}",
          plan.sizes.size(), plan.grid.rows, plan.grid.cols, grid.rows, grid.cols);
  const masks::PaddedWindows padded = masks::padded_windows(grid, windowed_.window);
  const ops::MapWindows windows{windowed_.window, padded.patches_WT.to(x_BTC.device()),
                                padded.indices_L.to(x_BTC.device())};
  if (observer) observer(name_ + "_in", x_BTC);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const Block& block = blocks_[i];
    const auto index = static_cast<int64_t>(i);
    const nn::BranchScales scales = nn::branch_scales(drop_path, first + index);
    x_BTC = ops::decomposed_attention_branch(
        x_BTC, block.norm1.weights(), block.qkv.weights(), block.tables, block.proj.weights(),
        heads_, grid.rows, grid.cols, is_global(windowed_, index) ? ops::MapWindows{} : windows,
        scales.first_B);
    x_BTC = block.mlp(x_BTC, scales.second_B);
    nn::observe(observer, name_, index, x_BTC);
  }
  return x_BTC;
}

}  // namespace fcm::encoder
