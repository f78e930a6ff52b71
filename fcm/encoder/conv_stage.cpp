#include "fcm/encoder/conv_stage.h"

#include <ATen/ATen.h>

#include "fcm/ops/gelu/op.h"
#include "fcm/ops/patch_depthwise_conv/op.h"

namespace fcm::encoder {
namespace {

constexpr double kConvNormEpsilon = 1e-5;

}  // namespace

PatchEmbed::PatchEmbed(const nn::Scope& scope, int64_t in, int64_t out, int64_t side, nn::Init init)
    : proj_(nn::Linear::convolution(scope / "proj", in, out, side, nn::row_by_row(side), init)),
      norm_(scope / "norm", out, kConvNormEpsilon) {}

at::Tensor PatchEmbed::operator()(const at::Tensor& x) const { return ops::gelu(norm_(proj_(x))); }

ConvBlock::ConvBlock(const nn::Scope& scope, int64_t dim, double mlp_ratio)
    : norm1_(scope / "norm1", dim, kConvNormEpsilon),
      conv1_(nn::Linear::convolution(scope / "conv1", dim, dim, 1, {0})),
      conv2_(nn::Linear::convolution(scope / "conv2", dim, dim, 1, {0})),
      depthwise_weight_TC_(
          (scope / "attn")
              .add("weight", {dim, 1, 5, 5}, nn::Init::kFanIn, {nn::Layout::Kind::kTaps, {}, 1})),
      depthwise_bias_C_((scope / "attn").add("bias", {dim}, nn::Init::kFanIn, {}, 25)),
      norm2_(scope / "norm2", dim, kConvNormEpsilon),
      mlp_(nn::Mlp::pointwise(scope / "mlp", dim, mlp_ratio)) {}

at::Tensor ConvBlock::operator()(const at::Tensor& x_BKPC, const at::Tensor& neighbours_BK9,
                                 const ops::Cells& cells) const {
  const at::Tensor spread_BKPC = ops::patch_depthwise_conv(
      conv1_(norm1_(x_BKPC)), depthwise_weight_TC_, depthwise_bias_C_, neighbours_BK9, cells);
  const at::Tensor mixed_BKPC = x_BKPC + conv2_(spread_BKPC);
  return mixed_BKPC + mlp_(norm2_(mixed_BKPC));
}

}  // namespace fcm::encoder
