#include "fcm/targets/clip_tower.h"

#include <ATen/ATen.h>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/linear/op.h"

namespace fcm::targets {
namespace {

constexpr double kEpsilon = 1e-5;  // PyTorch's default
constexpr nn::Init kFromFile = nn::Init::kZeros;

int64_t hidden_width(const TeacherOptions& options) {
  return static_cast<int64_t>(static_cast<double>(options.dim) * options.mlp_ratio);
}

at::Tensor quick_gelu(const at::Tensor& x) { return x * at::sigmoid(x * 1.702); }

}  // namespace

// Members are declared in the published order of parameters.
ClipBlock::ClipBlock(const nn::Scope& scope, const TeacherOptions& options)
    : heads_(options.heads),
      in_weight_((scope / "attn").add("in_proj_weight", {3 * options.dim, options.dim}, kFromFile)),
      in_bias_((scope / "attn").add("in_proj_bias", {3 * options.dim}, kFromFile)),
      out_(scope / "attn" / "out_proj", options.dim, options.dim, kFromFile),
      norm1_(scope / "ln_1", options.dim, kEpsilon),
      fc_(scope / "mlp" / "c_fc", options.dim, hidden_width(options), kFromFile),
      proj_(scope / "mlp" / "c_proj", hidden_width(options), options.dim, kFromFile),
      norm2_(scope / "ln_2", options.dim, kEpsilon) {}

at::Tensor ClipBlock::operator()(const at::Tensor& x_BTD) const {
  const at::Tensor qkv_BTC = ops::linear(norm1_(x_BTD), in_weight_, in_bias_);  // [B, T, 3 * D]
  const at::Tensor mixed_BTD = x_BTD + out_(ops::attention(qkv_BTC, heads_));
  return mixed_BTD + proj_(quick_gelu(fc_(norm2_(mixed_BTD))));
}

ClipTower::ClipTower(const nn::Scope& scope, const TeacherOptions& options, masks::Grid grid)
    : class_D_(scope.add("class_embedding", {options.dim}, kFromFile)),
      positions_TD_(
          scope.add("positional_embedding", {1 + grid.patches(), options.dim}, kFromFile)),
      projection_DP_(scope.add("proj", {options.dim, options.projected_dim}, kFromFile)),
      patches_DI_(
          (scope / "conv1")
              .add("weight", {options.dim, options.channels, options.stride, options.stride},
                   kFromFile, {nn::Layout::Kind::kMergeCells, nn::row_by_row(options.stride)})),
      no_bias_D_(at::zeros({options.dim}, patches_DI_.options())) {
  norm_before_.emplace(scope / "ln_pre", options.dim, kEpsilon);
  for (int64_t block = 0; block < options.depth; ++block) {
    blocks_.emplace_back(scope / "transformer" / "resblocks" / block, options);
  }
  norm_after_.emplace(scope / "ln_post", options.dim, kEpsilon);
}

at::Tensor ClipTower::operator()(const at::Tensor& pixels_BLPD, const at::Tensor& order_BL,
                                 Feature feature, const nn::Observer& observer) const {
  const at::Tensor patches_BLD = ops::linear(pixels_BLPD.squeeze(2), patches_DI_, no_bias_D_);
  const at::ScalarType compute = patches_BLD.scalar_type();
  const at::Tensor positions_TD = positions_TD_.to(compute);
  const at::Tensor placed_BLD =
      patches_BLD + positions_TD.index_select(0, order_BL.reshape({-1}) + 1).view_as(patches_BLD);
  const at::Tensor class_D = class_D_.to(compute) + positions_TD[0];
  at::Tensor x_BTD =
      at::cat({class_D.expand({placed_BLD.size(0), 1, -1}), placed_BLD}, 1);  // [B, 1 + L, D]
  x_BTD = (*norm_before_)(x_BTD);
  int64_t index = 0;
  for (const ClipBlock& block : blocks_) {
    x_BTD = block(x_BTD);
    nn::observe(observer, "resblocks", index++, x_BTD);
  }
  const at::Tensor tokens_BLD = x_BTD.slice(1, 1);
  if (feature == Feature::kTokens) return tokens_BLD;
  const at::Tensor normed_BLD = (*norm_after_)(tokens_BLD.contiguous());
  if (feature == Feature::kNormed) return normed_BLD;
  return at::matmul(normed_BLD, projection_DP_.to(compute));  // [B, L, P]
}

}  // namespace fcm::targets
