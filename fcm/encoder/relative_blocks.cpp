#include "fcm/encoder/relative_blocks.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/base/error.h"
#include "fcm/masks/map_attention.h"

namespace fcm::encoder {

RelativeBlocks::RelativeBlocks(const nn::Scope& scope, std::string name, int64_t depth, int64_t dim,
                               int64_t heads, double mlp_ratio, double norm_epsilon,
                               masks::Grid trained, bool class_token)
    : name_(std::move(name)), trained_(trained), class_token_(class_token) {
  const WindowBlockOptions options{.dim = dim,
                                   .heads = heads,
                                   .table_rows = masks::upstream_table_rows(trained, class_token),
                                   .mlp_ratio = mlp_ratio,
                                   .norm_epsilon = norm_epsilon,
                                   .table = nn::Init::kZeros,
                                   .layer_scale = true};
  for (int64_t i = 0; i < depth; ++i) blocks_.emplace_back(scope / name_ / i, options);
}

at::Tensor RelativeBlocks::operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                      const nn::Observer& observer, const nn::DropPath& drop_path,
                                      int64_t first) const {
  require(plan.sizes.size() == 1 && plan.kept == 1,
          "relative blocks: got a plan of {} views, {} of them kept; expected masks::full_plan",
          plan.sizes.size(), plan.kept);
  const masks::MapAttention map = masks::map_attention(trained_, plan.grid, class_token_);
  const ops::WindowSets sets = map.sets.to(x_BTC.device());
  if (observer) observer(name_ + "_in", x_BTC);
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    x_BTC = blocks_[i](x_BTC, sets, map.table(blocks_[i].upstream_table()),
                       nn::branch_scales(drop_path, first + index));
    nn::observe(observer, name_, index, x_BTC);
  }
  return x_BTC;
}

}  // namespace fcm::encoder
