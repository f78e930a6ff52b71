#include "fcm/decoder/decoder.h"

#include <ATen/ATen.h>

namespace fcm::decoder {
namespace {

std::vector<nn::Block> decoder_blocks(const nn::Scope& scope, const DecoderOptions& options) {
  std::vector<nn::Block> blocks;
  for (int64_t i = 0; i < options.depth; ++i) {
    blocks.emplace_back(scope / i, options.dim, options.heads, options.mlp_ratio);
  }
  return blocks;
}

// For each view of the run, the slots of all other views, in slot order. The same for every
// picture.
at::Tensor hidden_slots(const masks::ViewRun& run, int64_t patches) {
  at::Tensor slots_GH = at::empty({run.views, patches - run.size}, at::kLong);
  auto* out = slots_GH.mutable_data_ptr<int64_t>();
  for (int64_t view = 0; view < run.views; ++view) {
    const int64_t begin = run.first_slot + view * run.size;
    for (int64_t slot = 0; slot < patches; ++slot) {
      if (slot < begin || slot >= begin + run.size) *out++ = slot;
    }
  }
  return slots_GH;
}

}  // namespace

Decoder::Decoder(const nn::Scope& scope, const DecoderOptions& options, int64_t encoder_dim,
                 int64_t channels, const ops::PatchGeometry& geometry, at::Tensor mask_token,
                 at::Tensor positions_LD)
    : mask_token_(std::move(mask_token)),
      positions_LD_(std::move(positions_LD)),
      embed_(scope / "decoder_embed", encoder_dim, options.dim),
      blocks_(decoder_blocks(scope / "decoder_blocks", options)),
      norm_(scope / "decoder_norm", options.dim, 1e-6),
      pred_(nn::Linear::reordered(scope / "decoder_pred", options.dim,
                                  geometry.patch_side() * geometry.patch_side() * channels,
                                  {nn::Layout::Kind::kRows, geometry.pixel_order(), channels})) {}

Reconstruction Decoder::operator()(const at::Tensor& latent_BKC,
                                   const masks::ViewPlan& plan) const {
  const at::Tensor embedded_BKD = embed_(latent_BKC);
  const at::Tensor positions_BLD = positions_LD_.to(latent_BKC.scalar_type())
                                       .index_select(0, plan.order_BL.reshape({-1}))
                                       .view({plan.batch(), plan.patches(), -1});
  Reconstruction result;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    result.runs.push_back(reconstruct(embedded_BKD, positions_BLD, run, plan.patches()));
  }
  return result;
}

RunReconstruction Decoder::reconstruct(const at::Tensor& embedded_BKD,
                                       const at::Tensor& positions_BLD, const masks::ViewRun& run,
                                       int64_t patches) const {
  const int64_t batch = embedded_BKD.size(0), dim = embedded_BKD.size(2);
  const int64_t sequences = batch * run.views, hidden = patches - run.size;
  const int64_t slots = run.views * run.size;
  const at::Tensor slots_GH = hidden_slots(run, patches);

  const at::Tensor visible_NTD = (embedded_BKD.narrow(1, run.first_slot, slots) +
                                  positions_BLD.narrow(1, run.first_slot, slots))
                                     .reshape({sequences, run.size, dim});
  const at::Tensor masked_NTD = (positions_BLD.index_select(1, slots_GH.reshape({-1})) +
                                 mask_token_.to(embedded_BKD.scalar_type()))
                                    .reshape({sequences, hidden, dim});
  at::Tensor x_NTD = at::cat({visible_NTD, masked_NTD}, 1);  // [B*G, L, D]
  for (const nn::Block& block : blocks_) x_NTD = block(x_NTD);
  // Visible patches are not asked for, so norm and prediction skip them.
  const at::Tensor predictions = pred_(norm_(x_NTD.narrow(1, run.size, hidden)));
  return {run, slots_GH, predictions.view({batch, run.views, hidden, -1})};
}

}  // namespace fcm::decoder
