#include "fcm/decoder/transformer.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::decoder {

int64_t shared_blocks(const DecoderOptions& options, size_t targets) {
  if (targets == 1) return options.depth;
  return options.depth - static_cast<int64_t>(targets) * options.independent_blocks;
}

TransformerDecoder::TransformerDecoder(const nn::Scope& scope, const DecoderOptions& options,
                                       int64_t encoder_dim, const std::vector<Output>& outputs,
                                       Embeddings embeddings)
    : embeddings_(std::move(embeddings)),
      shuffled_(options.kind == "transformer_shuffled"),
      embed_(scope / "decoder_embed", encoder_dim, options.dim),
      blocks_(scope, "decoder_blocks", shared_blocks(options, outputs.size()), options.dim,
              options.heads, options.mlp_ratio) {
  require(!outputs.empty() && shared_blocks(options, outputs.size()) >= 0,
          "Decoder: got depth {} with {} independent blocks for each of {} targets; expected "
          "at least one target, and depth >= targets * independent blocks",
          options.depth, options.independent_blocks, outputs.size());
  for (const Output& output : outputs) {
    branches_.push_back(make_branch(scope, options, output, outputs.size() == 1));
  }
}

// Constructs the blocks before the head, because parameters have upstream's order.
TransformerDecoder::Branch TransformerDecoder::make_branch(const nn::Scope& scope,
                                                           const DecoderOptions& options,
                                                           const Output& output, bool alone) {
  const std::string prefix = prefix_of(output, alone);
  return {nn::Blocks(scope, prefix + "blocks", alone ? 0 : options.independent_blocks, options.dim,
                     options.heads, options.mlp_ratio),
          Head(scope, prefix, options.dim, output)};
}

at::Tensor TransformerDecoder::Branch::operator()(const at::Tensor& x_NTD, int64_t hidden,
                                                  const nn::Observer& observer) const {
  // In the last block, class token and visible patches serve only as keys and values, so their
  // queries are skipped.
  at::Tensor x_NHD = x_NTD;
  if (blocks.depth() > 0) x_NHD = blocks(x_NTD, observer, {}, 0, x_NTD.size(1) - hidden);
  x_NHD = x_NHD.slice(1, x_NHD.size(1) - hidden);  // needed only if the decoder has no blocks
  return head(x_NHD, observer);
}

Reconstruction TransformerDecoder::operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                                              const nn::Observer& observer) const {
  const Embedded embedded = embed(seen.latent_BKC, seen.class_latents_BGC, plan, observer);
  Reconstruction result;
  const std::vector<masks::ViewRun> runs = plan.kept_runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    result.runs.push_back(reconstruct(embedded, runs[i], plan.hidden_slots_GH[i], observer));
  }
  return result;
}

namespace {

// The positions that GreenMIM's decoder adds to the kept patches, as raster indices [B, K] in slot
// order. They are wrong because of an error upstream: the decoder receives the patches in raster
// order, but adds to the i-th of them the position of the i-th patch that the mask drew. For one
// kept view.
at::Tensor shuffled_positions(const masks::ViewPlan& plan) {
  const at::Tensor drawn_BK = plan.order_BL.narrow(1, 0, plan.kept_slots());
  const at::Tensor rank_BK = drawn_BK.argsort(/*dim=*/int64_t{1}).argsort(/*dim=*/int64_t{1});
  return drawn_BK.gather(1, rank_BK);
}

}  // namespace

TransformerDecoder::Embedded TransformerDecoder::embed(const at::Tensor& latent_BKC,
                                                       const at::Tensor& class_latents_BGC,
                                                       const masks::ViewPlan& plan,
                                                       const nn::Observer& observer) const {
  const int64_t classes = class_latents_BGC.defined() ? class_latents_BGC.size(1) : 0;
  const int64_t kept = latent_BKC.size(1);
  const at::Tensor x_BTD =
      embed_(classes > 0 ? at::cat({class_latents_BGC, latent_BKC}, 1) : latent_BKC);
  nn::observe(observer, "decoder_embed", x_BTD);
  const at::Tensor positions_TD = embeddings_.positions_1TD[0].to(x_BTD.scalar_type());
  const at::Tensor positions_LD = positions_TD.slice(0, classes > 0 ? 1 : 0);
  const at::Tensor patches_BKD = x_BTD.narrow(1, classes, kept);
  const at::Tensor indices_BK =
      shuffled_ ? shuffled_positions(plan) : plan.order_BL.narrow(1, 0, kept);
  Embedded embedded;
  embedded.order_BL = plan.order_BL;
  embedded.patches_BKD =
      patches_BKD + positions_LD.index_select(0, indices_BK.reshape({-1})).view_as(patches_BKD);
  if (classes > 0) embedded.classes_BGD = x_BTD.narrow(1, 0, classes) + positions_TD[0];
  embedded.hidden_LD = positions_LD + embeddings_.mask_token_11D[0].to(x_BTD.scalar_type());
  return embedded;
}

TransformerDecoder::Tokens TransformerDecoder::tokens(const Embedded& embedded,
                                                      const masks::ViewRun& run,
                                                      const at::Tensor& hidden_slots_GH) {
  const int64_t batch = embedded.order_BL.size(0), dim = embedded.hidden_LD.size(1);
  const int64_t sequences = batch * run.views;
  std::vector<at::Tensor> rows, places;
  int64_t count = 0;
  const auto add = [&](const at::Tensor& own_NTD) {  // tokens that differ between sequences
    rows.push_back(own_NTD.reshape({-1, dim}));
    const int64_t more = rows.back().size(0);
    places.push_back(at::arange(count, count + more, embedded.order_BL.options())
                         .view({sequences, more / sequences}));
    count += more;
  };
  if (embedded.classes_BGD.defined()) {
    add(embedded.classes_BGD.narrow(1, run.first_view, run.views));
  }
  add(embedded.patches_BKD.narrow(1, run.first_slot, run.views * run.size));
  rows.push_back(embedded.hidden_LD);
  places.push_back(
      embedded.order_BL.index_select(1, hidden_slots_GH.reshape({-1})).view({sequences, -1}) +
      count);
  return {at::cat(rows, 0), at::cat(places, 1)};
}

RunReconstruction TransformerDecoder::reconstruct(const Embedded& embedded,
                                                  const masks::ViewRun& run,
                                                  const at::Tensor& hidden_slots_GH,
                                                  const nn::Observer& observer) const {
  const int64_t batch = embedded.order_BL.size(0), hidden = hidden_slots_GH.size(1);
  const auto [rows_RD, indices_NT] = tokens(embedded, run, hidden_slots_GH);
  const bool ends_here = branches_[0].blocks.depth() == 0;
  const at::Tensor x_NTD =
      blocks_.of_rows(rows_RD, indices_NT, observer, ends_here ? indices_NT.size(1) - hidden : 0);
  RunReconstruction result{run, hidden_slots_GH, {}};
  for (const Branch& branch : branches_) {
    const at::Tensor predictions_NHD = branch(x_NTD, hidden, observer);  // [B*G, L - k, D_t]
    result.predictions_BGHD.push_back(predictions_NHD.view({batch, run.views, hidden, -1}));
  }
  return result;
}

}  // namespace fcm::decoder
