#include "fcm/decoder/decoder.h"

#include "fcm/decoder/cross.h"
#include "fcm/decoder/linear.h"
#include "fcm/decoder/transformer.h"

namespace fcm::decoder {

Embeddings add_embeddings(const nn::Scope& scope, const DecoderOptions& options, masks::Grid grid,
                          int64_t class_tokens) {
  Embeddings embeddings;
  if (options.linear()) return embeddings;
  embeddings.mask_token_11D = scope.add("mask_token", {1, 1, options.dim}, nn::Init::kNormal02);
  embeddings.positions_1TD = scope.add_table(
      "decoder_pos_embed", nn::sincos_positions(grid.rows, grid.cols, options.dim, class_tokens),
      /*trainable=*/false);
  return embeddings;
}

nn::Cost cost(const DecoderOptions& options, const Source& source,
              const std::vector<Output>& outputs, const masks::ViewPlan& plan) {
  int64_t predicted = 0;  // values per hidden patch
  for (const Output& output : outputs) predicted += output.dim;
  nn::Cost sum;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    if (options.linear()) {
      sum.multiply_adds += static_cast<double>(run.views * (plan.patches() - run.size)) *
                           static_cast<double>(source.dim * predicted);
      continue;
    }
    const int64_t hidden = plan.patches() - run.size;
    const auto width = static_cast<double>(options.dim);
    if (options.cross()) {
      const int64_t drawn = masks::drawn_patches(hidden, options.share);
      sum += cross_blocks_cost(options, source, run, drawn);
      sum.multiply_adds += static_cast<double>(run.views * drawn * predicted) * width;
      continue;
    }
    const int64_t seen = source.class_tokens + run.size, all = source.class_tokens + plan.patches();
    sum.multiply_adds += static_cast<double>(run.views * seen * source.dim) * width;
    sum += nn::blocks_cost(options.depth, run.views * all, all, options.dim, options.mlp_ratio);
    sum.multiply_adds += static_cast<double>(run.views * hidden * predicted) * width;
  }
  return sum;
}

std::unique_ptr<Decoder> make_decoder(const nn::Scope& scope, const DecoderOptions& options,
                                      const Source& source, const std::vector<Output>& outputs,
                                      const Embeddings& embeddings) {
  if (options.linear()) return std::make_unique<LinearDecoder>(scope, source.dim, outputs);
  if (options.cross()) {
    return std::make_unique<CrossDecoder>(scope, options, source, outputs, embeddings);
  }
  return std::make_unique<TransformerDecoder>(scope, options, source.dim, outputs, embeddings);
}

}  // namespace fcm::decoder
