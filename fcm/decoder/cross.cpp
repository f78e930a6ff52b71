#include "fcm/decoder/cross.h"

#include <ATen/ATen.h>

#include <utility>

#include "fcm/base/error.h"
#include "fcm/decoder/transformer.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/cross_attention/op.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/mix/op.h"
#include "fcm/ops/norm_linear/op.h"

namespace fcm::decoder {

nn::Cost cross_blocks_cost(const DecoderOptions& options, const Source& source,
                           const masks::ViewRun& run, int64_t drawn) {
  // Values saved for backward. Per element of a query: the residual stream twice, q, the output of
  // the attention and the MLP's hidden values, plus half a value for everything else, as in
  // nn/cost.cpp. Per encoder token: keys, values and, if blocks read one, the mix.
  constexpr double kOfQuery = 4.5;
  const auto width = static_cast<double>(options.dim), dim = static_cast<double>(source.dim);
  const double tokens = static_cast<double>(source.class_tokens + run.size);  // of a view
  const double queries = static_cast<double>(drawn);
  const double mixed = options.reads_blocks() ? static_cast<double>(source.blocks + 1) : 0;
  const double of_view = queries * width * width * (2 + 2 * options.mlp_ratio) +
                         tokens * dim * (2 * width + mixed) + 2 * queries * tokens * width;
  const double kept = queries * width * (kOfQuery + options.mlp_ratio) +
                      tokens * (2 * width + (mixed > 0 ? dim : 0));
  const auto blocks = static_cast<double>(options.depth * run.views);
  return {blocks * of_view, blocks * kept};
}

namespace {

at::Tensor mix_weight(const nn::Scope& scope, const DecoderOptions& options, const Source& source) {
  if (!options.reads_blocks()) return {};
  return (scope / "mix").add("weight", {1, source.blocks + 1}, nn::Init::kXavierUniform);
}

std::optional<nn::LayerNorm> norm_of_mix(const nn::Scope& scope, const DecoderOptions& options,
                                         const Source& source) {
  if (!options.reads_blocks()) return std::nullopt;
  return nn::LayerNorm(scope / "norm_kv", source.dim, nn::kNormEpsilon);
}

}  // namespace

CrossBlock::CrossBlock(const nn::Scope& scope, const DecoderOptions& options, const Source& source)
    : heads_(options.heads),
      mix_1I_(mix_weight(scope, options, source)),
      norm_kv_(norm_of_mix(scope, options, source)),
      norm1_(scope / "norm1", options.dim, nn::kNormEpsilon),
      q_(scope / "cross_attn" / "q", options.dim, options.dim),
      kv_(scope / "cross_attn" / "kv", source.dim, 2 * options.dim),
      proj_(scope / "cross_attn" / "proj", options.dim, options.dim),
      mlp_(nn::MlpBranch::linear(scope / "norm2", scope / "mlp", options.dim, options.mlp_ratio,
                                 nn::kNormEpsilon)) {}

at::Tensor CrossBlock::keys_and_values(const at::Tensor& read_NTC) const {
  ops::ProductWeights kv = kv_.weights();
  kv.bias_O = ops::branches::without_key_gradient(kv.bias_O, /*parts=*/2);
  if (norm_kv_) return ops::norm_linear(read_NTC, norm_kv_->weights(), kv);
  return ops::linear(read_NTC, kv.weight_OI, kv.bias_O, kv.rounded_OI);
}

at::Tensor CrossBlock::operator()(const at::Tensor& x_NQD, const at::Tensor& read_NTC) const {
  const at::Tensor kv_NTD = keys_and_values(read_NTC);  // [N, T, 2 * D]
  const at::Tensor q_NQD = ops::norm_linear(x_NQD, norm1_.weights(), q_.weights());
  const at::Tensor mixed_NQD = x_NQD + proj_(ops::cross_attention(q_NQD, kv_NTD, heads_));
  return mlp_(mixed_NQD, {});
}

CrossDecoder::Blocks::Blocks(const nn::Scope& scope, std::string stem, int64_t depth,
                             const DecoderOptions& options, const Source& source)
    : name(std::move(stem)) {
  for (int64_t i = 0; i < depth; ++i) blocks.emplace_back(scope / name / i, options, source);
}

at::Tensor CrossDecoder::Blocks::operator()(at::Tensor x_NQD, const at::Tensor* reads_NTC,
                                            const nn::Observer& observer) const {
  if (observer) observer(name + "_in", x_NQD);
  int64_t index = 0;
  for (const CrossBlock& block : blocks) {
    x_NQD = block(x_NQD, reads_NTC[index]);
    nn::observe(observer, name, index++, x_NQD);
  }
  return x_NQD;
}

CrossDecoder::CrossDecoder(const nn::Scope& scope, const DecoderOptions& options,
                           const Source& source, const std::vector<Output>& outputs,
                           Embeddings embeddings)
    : embeddings_(std::move(embeddings)),
      reads_blocks_(options.reads_blocks()),
      blocks_(scope, "decoder_blocks", shared_blocks(options, outputs.size()), options, source) {
  const bool alone = outputs.size() == 1;
  for (const Output& output : outputs) {
    const std::string prefix = prefix_of(output, alone);
    Blocks own(scope, prefix + "blocks", alone ? 0 : options.independent_blocks, options, source);
    branches_.push_back({std::move(own), Head(scope, prefix, options.dim, output)});
  }
}

std::vector<at::Tensor> CrossDecoder::reads(const DecoderInput& seen, size_t run_index,
                                            const masks::ViewRun& run) const {
  const int64_t batch = seen.latent_BKC.size(0), sequences = batch * run.views;
  at::Tensor latent_NTC = seen.latent_BKC.narrow(1, run.first_slot, run.views * run.size)
                              .reshape({sequences, run.size, -1});
  if (seen.class_latents_BGC.defined()) {
    const at::Tensor classes_N1C =
        seen.class_latents_BGC.narrow(1, run.first_view, run.views).reshape({sequences, 1, -1});
    latent_NTC = at::cat({classes_N1C, latent_NTC}, 1);
  }
  std::vector<const CrossBlock*> all;
  for (const CrossBlock& block : blocks_.blocks) all.push_back(&block);
  for (const Branch& branch : branches_) {
    for (const CrossBlock& block : branch.blocks.blocks) all.push_back(&block);
  }
  if (!reads_blocks_ || all.empty()) return {all.size(), latent_NTC};
  require(seen.block_inputs_NTC.size() > run_index,
          "CrossDecoder: got the inputs of the encoder's blocks for {} runs of views, expected {}",
          seen.block_inputs_NTC.size(), run_index + 1);
  std::vector<at::Tensor> sources = seen.block_inputs_NTC[run_index], weights;
  sources.push_back(latent_NTC);
  for (const CrossBlock* block : all) weights.push_back(block->mix_1I());
  return ops::mix(sources, at::cat(weights, 0));
}

Reconstruction CrossDecoder::operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                                        const nn::Observer& observer) const {
  const at::ScalarType type = seen.latent_BKC.scalar_type();
  const at::Tensor positions_TD = embeddings_.positions_1TD[0].to(type);
  const at::Tensor hidden_LD = positions_TD.slice(0, positions_TD.size(0) - plan.patches()) +
                               embeddings_.mask_token_11D[0].to(type);
  Reconstruction result;
  const std::vector<masks::ViewRun> runs = plan.kept_runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    const masks::ViewRun& run = runs[i];
    const at::Tensor& slots_GH = plan.hidden_slots_GH[i];
    const int64_t batch = plan.batch(), drawn = slots_GH.size(1);
    const at::Tensor indices_NQ =
        plan.order_BL.index_select(1, slots_GH.reshape({-1})).view({batch * run.views, drawn});
    const std::vector<at::Tensor> reads_NTC = reads(seen, i, run);
    const at::Tensor* next = reads_NTC.data();
    const at::Tensor x_NQD = blocks_(ops::gather_rows(hidden_LD, indices_NQ), next, observer);
    next += blocks_.blocks.size();
    RunReconstruction& of_run = result.runs.emplace_back(RunReconstruction{run, slots_GH, {}});
    for (const Branch& branch : branches_) {
      const at::Tensor own_NQD =
          branch.blocks.blocks.empty() ? x_NQD : branch.blocks(x_NQD, next, observer);
      next += branch.blocks.blocks.size();
      of_run.predictions_BGHD.push_back(
          branch.head(own_NQD, observer).view({batch, run.views, drawn, -1}));
    }
  }
  return result;
}

}  // namespace fcm::decoder
