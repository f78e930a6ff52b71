#include "fcm/encoder/window_block.h"

#include <ATen/ATen.h>

#include "fcm/base/relative_table.h"
#include "fcm/ops/branches/op.h"

namespace fcm::encoder {
namespace {

at::Tensor channel_scale(const nn::Scope& scope, const char* name,
                         const WindowBlockOptions& options) {
  return options.layer_scale ? scope.add(name, {options.dim}, nn::Init::kOnes) : at::Tensor();
}

at::Tensor own_table(const nn::Scope& attention, const WindowBlockOptions& options) {
  if (options.table_rows == 0) return {};
  return attention.add(kRelativeTable, {options.table_rows, options.heads}, options.table);
}

}  // namespace

// Members are declared in upstream's parameter order.
WindowBlock::WindowBlock(const nn::Scope& scope, const WindowBlockOptions& options)
    : gamma1_C_(channel_scale(scope, "gamma_1", options)),
      gamma2_C_(channel_scale(scope, "gamma_2", options)),
      norm1_(scope / "norm1", options.dim, options.norm_epsilon),
      table_RH_(own_table(scope / "attn", options)),
      qkv_(scope / "attn" / "qkv", options.dim, 3 * options.dim, options.products),
      proj_(scope / "attn" / "proj", options.dim, options.dim, options.products),
      mlp_(nn::MlpBranch::linear(scope / "norm2", scope / "mlp", options.dim, options.mlp_ratio,
                                 options.norm_epsilon, options.products)) {}

at::Tensor WindowBlock::operator()(const at::Tensor& x_BTC, const ops::WindowSets& sets,
                                   const at::Tensor& table_RH,
                                   const nn::BranchScales& scales) const {
  const at::Tensor mixed_BTC =
      ops::window_attention_branch(x_BTC, norm1_.weights(), qkv_.weights(), table_RH,
                                   nn::scaled(proj_.weights(), gamma1_C_), sets, scales.first_B);
  return mlp_(mixed_BTC, scales.second_B, gamma2_C_);
}

}  // namespace fcm::encoder
