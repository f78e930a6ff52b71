#include "fcm/encoder/conv_vit.h"

#include <ATen/ATen.h>

namespace fcm::encoder {
namespace {

std::vector<ConvBlock> conv_blocks(const nn::Scope& scope, const EncoderOptions& options,
                                   size_t stage) {
  std::vector<ConvBlock> blocks;
  for (int64_t i = 0; i < options.depths[stage]; ++i) {
    blocks.emplace_back(scope / i, options.dims[stage], options.mlp_ratios[stage]);
  }
  return blocks;
}

// All cells of a patch to one vector: a convolution whose window is the patch.
std::optional<nn::Linear> fuse(const nn::Scope& scope, const EncoderOptions& options, size_t stage,
                               const ops::Cells& cells, Ending ending) {
  if (ending != Ending::kPretraining) return std::nullopt;
  return nn::Linear::convolution(scope, options.dims[stage], options.dims[2], cells.side,
                                 cells.raster);
}

}  // namespace

// Members are declared in the published order of parameters.
ConvVit::ConvVit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
                 at::Tensor positions_1LC, Ending ending)
    : geometry_{options.strides},
      positions_1LC_(std::move(positions_1LC)),
      embed1_(scope / "patch_embed1", channels, options.dims[0], options.strides[0]),
      embed2_(scope / "patch_embed2", options.dims[0], options.dims[1], options.strides[1]),
      embed3_(scope / "patch_embed3", options.dims[1], options.dims[2], options.strides[2],
              nn::Init::kXavierUniform),
      embed4_(scope / "patch_embed4", options.dims[2], options.dims[2]),
      fuse1_(fuse(scope / "stage1_output_decode", options, 0, geometry_.cells(0), ending)),
      fuse2_(fuse(scope / "stage2_output_decode", options, 1, geometry_.cells(1), ending)),
      blocks1_(conv_blocks(scope / "blocks1", options, 0)),
      blocks2_(conv_blocks(scope / "blocks2", options, 1)),
      blocks3_(scope, "blocks3", options.depths[2], options.dims[2], options.heads,
               options.mlp_ratios[2]) {
  if (ending != Ending::kNothing) norm_.emplace(scope / "norm", options.dims[2], 1e-6);
}

Features ConvVit::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                             const nn::Observer& observer) const {
  const int64_t batch = plan.batch();
  const int64_t kept = plan.kept_slots();
  at::Tensor x;
  std::vector<at::Tensor> fused;  // [B, K, C3] each
  const auto fuse_into = [&](const std::optional<nn::Linear>& layer, const char* name) {
    if (!layer) return;
    fused.push_back((*layer)(x.reshape({batch, kept, -1})));
    nn::observe(observer, name, fused.back());
  };

  x = embed1_(pixels_BLPD.narrow(1, 0, kept));  // [B, K, P1, C1]
  nn::observe(observer, "patch_embed1", x);
  x = convolve(blocks1_, "blocks1", x, 0, plan, observer);
  fuse_into(fuse1_, "stage1_output_decode");

  x = embed2_(x.reshape({batch, kept, geometry_.cells(1).count(), -1}));  // [B, K, P2, C2]
  nn::observe(observer, "patch_embed2", x);
  x = convolve(blocks2_, "blocks2", x, 1, plan, observer);
  fuse_into(fuse2_, "stage2_output_decode");

  x = embed3_(x.reshape({batch, kept, -1}));  // [B, K, C3]
  nn::observe(observer, "patch_embed3", x);
  x = embed4_(x);  // [B, K, C3]
  nn::observe(observer, "patch_embed4", x);
  const at::Tensor order_BK = plan.order_BL.narrow(1, 0, kept);
  x = x + positions_1LC_[0].to(x.scalar_type()).index_select(0, order_BK.reshape({-1})).view_as(x);
  Features features;
  features.tokens_BKC = transform(x, plan, observer);
  if (!norm_) return features;
  x = features.tokens_BKC;
  for (const at::Tensor& stage_BKC : fused) x = x + stage_BKC;
  features.latent_BKC = (*norm_)(x);
  nn::observe(observer, "norm", features.latent_BKC);
  return features;
}

at::Tensor ConvVit::convolve(const std::vector<ConvBlock>& blocks, const char* name,
                             at::Tensor x_BKPC, int64_t stage, const masks::ViewPlan& plan,
                             const nn::Observer& observer) const {
  const at::Tensor neighbours_BK9 =
      plan.neighbours_BL9.narrow(1, 0, plan.kept_slots()).contiguous();
  const ops::Cells cells = geometry_.cells(stage);
  int64_t index = 0;
  for (const ConvBlock& block : blocks) {
    x_BKPC = block(x_BKPC, neighbours_BK9, cells);
    nn::observe(observer, name, index++, x_BKPC);
  }
  return x_BKPC;
}

at::Tensor ConvVit::transform(const at::Tensor& x_BKC, const masks::ViewPlan& plan,
                              const nn::Observer& observer) const {
  const int64_t batch = x_BKC.size(0), channels = x_BKC.size(2);
  std::vector<at::Tensor> results;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t slots = run.views * run.size;
    const at::Tensor x_NTC =
        x_BKC.narrow(1, run.first_slot, slots).reshape({batch * run.views, run.size, channels});
    results.push_back(blocks3_(x_NTC, observer).reshape({batch, slots, channels}));
  }
  return results.size() == 1 ? results[0] : at::cat(results, 1);  // [B, K, C3]
}

}  // namespace fcm::encoder
