#include "fcm/encoder/windowed_blocks.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "fcm/base/error.h"
#include "fcm/base/relative_table.h"
#include "fcm/masks/map_attention.h"
#include "fcm/masks/window_plan.h"

namespace fcm::encoder {

bool is_global(const Windowed& windowed, int64_t block) {
  return std::ranges::find(windowed.global_blocks, block) != windowed.global_blocks.end();
}

// Parameters are added in upstream's order: the tables after the blocks.
WindowedBlocks::WindowedBlocks(const nn::Scope& scope, const BlockSizes& sizes,
                               const Windowed& windowed)
    : name_(sizes.name), windowed_(windowed) {
  const WindowBlockOptions options{.dim = sizes.dim,
                                   .heads = sizes.heads,
                                   .mlp_ratio = sizes.mlp_ratio,
                                   .norm_epsilon = sizes.norm_epsilon,
                                   .products = windowed.products};
  for (int64_t i = 0; i < sizes.depth; ++i) blocks_.emplace_back(scope / name_ / i, options);
  const auto table = [&](const char* place, int64_t rows) {
    return (scope / place).add(kRelativeTable, {rows, sizes.heads}, nn::Init::kZeros);
  };
  window_table_RH_ = table("windowed_rel_pos_bias", rows_of_table(windowed.window));
  map_table_RH_ = table("global_rel_pos_bias", masks::upstream_table_rows(windowed.grid, false));
}

void WindowedBlocks::check(const masks::ViewPlan& plan) const {
  const int64_t window = windowed_.window;
  const bool windows =
      std::ranges::all_of(plan.sizes, [&](int64_t size) { return size == window * window; });
  require(windows && plan.kept_slots() == plan.patches() && plan.grid.rows == windowed_.grid.rows &&
              plan.grid.cols == windowed_.grid.cols,
          "windowed blocks: got a plan of {} x {} patches in {} views, expected "
          "masks::plan_of_windows of "
          "{} x {} patches in windows of {}",
          plan.grid.rows, plan.grid.cols, plan.sizes.size(), windowed_.grid.rows,
          windowed_.grid.cols, window);
}

at::Tensor WindowedBlocks::operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                      const nn::Observer& observer, const nn::DropPath& drop_path,
                                      int64_t first) const {
  check(plan);
  const int64_t batch = x_BTC.size(0), tokens = x_BTC.size(1), dim = x_BTC.size(2);
  const auto windows = std::ssize(plan.sizes);
  const ops::WindowSets over_map = masks::set_of_map(plan),
                        in_window = masks::set_of_window(windowed_.window).to(x_BTC.device());
  if (observer) observer(name_ + "_in", x_BTC);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    const bool global = is_global(windowed_, index);
    const int64_t sequences = global ? batch : batch * windows;
    const nn::BranchScales scales = nn::branch_scales(drop_path, first + index);
    const int64_t factors = scales.first_B.defined() ? scales.first_B.size(0) : sequences;
    require(factors == sequences, "windowed blocks: block {} got {} drop path factors, expected {}",
            index, factors, sequences);
    x_BTC = blocks_[i](x_BTC.reshape({sequences, -1, dim}), global ? over_map : in_window,
                       global ? map_table_RH_ : window_table_RH_, scales);
    nn::observe(observer, name_, index, x_BTC);
  }
  return x_BTC.reshape({batch, tokens, dim});
}

}  // namespace fcm::encoder
