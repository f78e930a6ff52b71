#include "fcm/encoder/conv_vit.h"

#include <ATen/ATen.h>

namespace fcm::encoder {
namespace {

std::vector<ConvBlock> conv_blocks(const nn::Scope& scope, int64_t depth, int64_t dim,
                                   double mlp_ratio) {
  std::vector<ConvBlock> blocks;
  for (int64_t i = 0; i < depth; ++i) blocks.emplace_back(scope / i, dim, mlp_ratio);
  return blocks;
}

std::vector<nn::Block> transformer_blocks(const nn::Scope& scope, const EncoderOptions& options) {
  std::vector<nn::Block> blocks;
  for (int64_t i = 0; i < options.depths[2]; ++i) {
    blocks.emplace_back(scope / i, options.dims[2], options.heads, options.mlp_ratios[2]);
  }
  return blocks;
}

}  // namespace

// Members are declared in the published order of parameters.
ConvVit::ConvVit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
                 at::Tensor positions_LC)
    : geometry_{options.strides},
      positions_LC_(std::move(positions_LC)),
      embed1_(scope / "patch_embed1", channels, options.dims[0], options.strides[0]),
      embed2_(scope / "patch_embed2", options.dims[0], options.dims[1], options.strides[1]),
      embed3_(scope / "patch_embed3", options.dims[1], options.dims[2], options.strides[2],
              nn::Init::kXavierUniform),
      embed4_(scope / "patch_embed4", options.dims[2], options.dims[2]),
      fuse1_(nn::Linear::convolution(scope / "stage1_output_decode", options.dims[0],
                                     options.dims[2], geometry_.cells(0).side,
                                     geometry_.cells(0).raster)),
      fuse2_(nn::Linear::convolution(scope / "stage2_output_decode", options.dims[1],
                                     options.dims[2], geometry_.cells(1).side,
                                     geometry_.cells(1).raster)),
      blocks1_(conv_blocks(scope / "blocks1", options.depths[0], options.dims[0],
                           options.mlp_ratios[0])),
      blocks2_(conv_blocks(scope / "blocks2", options.depths[1], options.dims[1],
                           options.mlp_ratios[1])),
      blocks3_(transformer_blocks(scope / "blocks3", options)),
      norm_(scope / "norm", options.dims[2], 1e-6) {}

Features ConvVit::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan) const {
  const int64_t batch = plan.batch();
  const int64_t kept = plan.kept_slots();
  const ops::Cells cells1 = geometry_.cells(0), cells2 = geometry_.cells(1);
  const at::Tensor neighbours_BK9 = plan.neighbours_BL9.narrow(1, 0, kept).contiguous();

  at::Tensor x = embed1_(pixels_BLPD.narrow(1, 0, kept));  // [B, K, P1, C1]
  for (const ConvBlock& block : blocks1_) x = block(x, neighbours_BK9, cells1);
  const at::Tensor fused1_BKC = fuse1_(x.reshape({batch, kept, -1}));  // [B, K, C3]

  x = embed2_(x.reshape({batch, kept, cells2.count(), -1}));  // [B, K, P2, C2]
  for (const ConvBlock& block : blocks2_) x = block(x, neighbours_BK9, cells2);
  const at::Tensor fused2_BKC = fuse2_(x.reshape({batch, kept, -1}));  // [B, K, C3]

  x = embed4_(embed3_(x.reshape({batch, kept, -1})));  // [B, K, C3]
  const at::Tensor order_BK = plan.order_BL.narrow(1, 0, kept);
  x = x + positions_LC_.to(x.scalar_type()).index_select(0, order_BK.reshape({-1})).view_as(x);
  const at::Tensor tokens_BKC = transform(x, plan);
  return {tokens_BKC, norm_(tokens_BKC + fused1_BKC + fused2_BKC)};
}

at::Tensor ConvVit::transform(at::Tensor x_BKC, const masks::ViewPlan& plan) const {
  const int64_t batch = x_BKC.size(0), channels = x_BKC.size(2);
  std::vector<at::Tensor> results;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t slots = run.views * run.size;
    at::Tensor x_NTC =
        x_BKC.narrow(1, run.first_slot, slots).reshape({batch * run.views, run.size, channels});
    for (const nn::Block& block : blocks3_) x_NTC = block(x_NTC);
    results.push_back(x_NTC.reshape({batch, slots, channels}));
  }
  return results.size() == 1 ? results[0] : at::cat(results, 1);  // [B, K, C3]
}

}  // namespace fcm::encoder
