#include "fcm/encoder/tower_blocks.h"

#include <ATen/ATen.h>

#include <optional>

#include "fcm/base/error.h"
#include "fcm/ops/attention/op.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/linear/op.h"

namespace fcm::encoder {
namespace {

constexpr nn::Init kFromFile = nn::Init::kZeros;

int64_t hidden_width(const BlockSizes& sizes) {
  return static_cast<int64_t>(sizes.mlp_ratio * static_cast<double>(sizes.dim));
}

at::Tensor layer_scale(const nn::Scope& scope, const char* name, const BlockSizes& sizes,
                       const Tower& tower) {
  return tower.layer_scale ? (scope / name).add("gamma", {sizes.dim}, nn::Init::kOnes)
                           : at::Tensor();
}

at::Tensor activated(const at::Tensor& x, Gelu gelu) {
  if (gelu == Gelu::kQuick) return x * at::sigmoid(x * 1.702);
  return at::gelu(x, gelu == Gelu::kTanh ? "tanh" : "none");
}

at::Tensor product(const at::Tensor& x, const ops::ProductWeights& weights) {
  return ops::linear(x, weights.weight_OI, weights.bias_O, weights.rounded_OI);
}

}  // namespace

// Members are declared in timm's parameter order.
TowerBlock::TowerBlock(const nn::Scope& scope, const BlockSizes& sizes, const Tower& tower)
    : heads_(sizes.heads),
      gelu_(tower.gelu),
      norm1_(scope / "norm1", sizes.dim, sizes.norm_epsilon),
      qkv_(scope / "attn" / "qkv", sizes.dim, 3 * sizes.dim, kFromFile),
      proj_(scope / "attn" / "proj", sizes.dim, sizes.dim, kFromFile),
      scale1_C_(layer_scale(scope, "ls1", sizes, tower)),
      norm2_(scope / "norm2", sizes.dim, sizes.norm_epsilon),
      fc1_(scope / "mlp" / "fc1", sizes.dim, hidden_width(sizes), kFromFile),
      fc2_(scope / "mlp" / "fc2", hidden_width(sizes), sizes.dim, kFromFile),
      scale2_C_(layer_scale(scope, "ls2", sizes, tower)) {}

at::Tensor TowerBlock::operator()(const at::Tensor& x_BTC, const Rotation* rotation) const {
  return mlp_branch(attention_branch(x_BTC, rotation));
}

at::Tensor TowerBlock::attention_branch(const at::Tensor& x_BTC, const Rotation* rotation) const {
  const ops::ProductWeights proj = nn::scaled(proj_.weights(), scale1_C_);
  if (rotation == nullptr) {
    return ops::attention_branch(x_BTC, norm1_.weights(), qkv_.weights(), proj, heads_);
  }
  const at::Tensor qkv_BTD = qkv_(norm1_(x_BTC));
  rotate_patches(qkv_BTD, *rotation, heads_);
  return x_BTC + product(ops::attention(qkv_BTD, heads_), proj);
}

at::Tensor TowerBlock::mlp_branch(const at::Tensor& x_BTC) const {
  const ops::ProductWeights fc2 = nn::scaled(fc2_.weights(), scale2_C_);
  if (gelu_ == Gelu::kExact) {
    return ops::mlp_branch(x_BTC, norm2_.weights(), fc1_.weights(), fc2);
  }
  return x_BTC + product(activated(fc1_(norm2_(x_BTC)), gelu_), fc2);
}

TowerBlocks::TowerBlocks(const nn::Scope& scope, const BlockSizes& sizes, const Tower& tower)
    : name_(sizes.name), head_dim_(sizes.dim / sizes.heads), rotary_base_(tower.rotary_base) {
  for (int64_t i = 0; i < sizes.depth; ++i) blocks_.emplace_back(scope / name_ / i, sizes, tower);
}

at::Tensor TowerBlocks::operator()(at::Tensor x_BTC, const masks::ViewPlan& plan,
                                   const nn::Observer& observer, const nn::DropPath& drop_path,
                                   int64_t) const {
  require(!at::GradMode::is_enabled() && drop_path.empty(),
          "a tower is for inference only: expected gradients disabled and no drop path");
  require(
      plan.sizes.size() == 1 && plan.kept == 1,
      "a tower sees whole images: expected a plan of one view, kept; got {} views, {} of them kept",
      plan.sizes.size(), plan.kept);
  std::optional<Rotation> rotation;
  if (rotary_base_ > 0) {
    rotation = rotation_of(plan.grid, plan.order_BL, head_dim_, rotary_base_, x_BTC.scalar_type());
  }
  if (observer) observer(name_ + "_in", x_BTC);
  int64_t index = 0;
  for (const TowerBlock& block : blocks_) {
    x_BTC = block(x_BTC, rotation ? &*rotation : nullptr);
    nn::observe(observer, name_, index++, x_BTC);
  }
  return x_BTC;
}

}  // namespace fcm::encoder
