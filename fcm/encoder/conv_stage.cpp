#include "fcm/encoder/conv_stage.h"

#include <ATen/ATen.h>

#include "fcm/ops/patch_embed/op.h"

namespace fcm::encoder {

PatchEmbed::PatchEmbed(const nn::Scope& scope, int64_t in, int64_t out, int64_t side, nn::Init init)
    : proj_(nn::Linear::convolution(scope / "proj", in, out, side, nn::row_by_row(side), init)),
      norm_(scope / "norm", out, kConvNormEpsilon) {}

at::Tensor PatchEmbed::operator()(const at::Tensor& x) const {
  return ops::patch_embed(x, proj_.weights(), norm_.weights());
}

ConvBlock::ConvBlock(const nn::Scope& scope, int64_t dim, double mlp_ratio, double norm_epsilon,
                     nn::Init init)
    : norm1_(scope / "norm1", dim, norm_epsilon),
      conv1_(nn::Linear::convolution(scope / "conv1", dim, dim, 1, {0}, init)),
      conv2_(nn::Linear::convolution(scope / "conv2", dim, dim, 1, {0}, init)),
      depthwise_weight_TC_(
          (scope / "attn").add("weight", {dim, 1, 5, 5}, init, {nn::Layout::Kind::kTaps, {}, 1})),
      depthwise_bias_C_((scope / "attn").add("bias", {dim}, nn::bias_init(init), {}, 25)),
      mlp_(nn::MlpBranch::pointwise(scope / "norm2", scope / "mlp", dim, mlp_ratio, norm_epsilon,
                                    init)) {}

at::Tensor ConvBlock::operator()(const at::Tensor& x_BKPC, const at::Tensor& neighbours_BK9,
                                 const ops::Cells& cells, const nn::BranchScales& scales) const {
  const at::Tensor mixed_BKPC = ops::conv_branch(
      x_BKPC, norm1_.weights(), conv1_.weights(), {depthwise_weight_TC_, depthwise_bias_C_},
      conv2_.weights(), neighbours_BK9, cells, scales.first_B);
  return mlp_(mixed_BKPC, scales.second_B);
}

nn::Cost conv_blocks_cost(int64_t depth, int64_t cells, int64_t dim, double mlp_ratio) {
  constexpr double kTaps = 25;
  // As 5.5 in nn::blocks_cost, but one tensor instead of q, k, v.
  constexpr double kSavedPerElement = 3.5;
  const auto width = static_cast<double>(dim);
  const double elements = static_cast<double>(depth) * static_cast<double>(cells) * width;
  return {elements * (width * (2 + 2 * mlp_ratio) + kTaps),
          elements * (kSavedPerElement + mlp_ratio)};
}

}  // namespace fcm::encoder
