// The decoder of CrossMAE (arXiv 2401.14391, models_cross.py), one sequence per view: hidden
// patches are queries that attend to the view's visible tokens and not to each other. So the
// prediction of a patch does not depend on which other patches are drawn (DecoderOptions::share).
//
// With reads = "latent" each block attends to the encoder's latent. With reads = "mix" (inter-block
// attention) each block attends to a learned weighted sum, normalised afterwards, of the latent and
// the inputs of the blocks of the encoder's last stage. In place of the latent, upstream mixes the
// output of the last block, before the encoder's norm. Here the latent is mixed, so the encoder's
// norm and fuse layers are trained in both modes.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"
#include "fcm/decoder/head.h"

namespace fcm::decoder {

// The cost of the blocks for a run of views, each of which predicts `drawn` patches.
nn::Cost cross_blocks_cost(const DecoderOptions& options, const Source& source,
                           const masks::ViewRun& run, int64_t drawn);

// x += proj(attention of norm1(x) to the encoder's tokens), then x += mlp(norm2(x)).
class CrossBlock {
 public:
  // If the block reads a mix, adds "mix.weight" [1, sources] and "norm_kv". Then adds, named as
  // upstream, "norm1", "cross_attn.q", "cross_attn.kv", "cross_attn.proj", "norm2" and "mlp".
  CrossBlock(const nn::Scope& scope, const DecoderOptions& options, const Source& source);

  // x [N, Q, D], read [N, T, C] (the latent, or the block's mix) -> [N, Q, D].
  at::Tensor operator()(const at::Tensor& x_NQD, const at::Tensor& read_NTC) const;
  // Weights of the mix, [1, sources]; undefined if the block reads the latent.
  const at::Tensor& mix_1I() const { return mix_1I_; }

 private:
  at::Tensor keys_and_values(const at::Tensor& read_NTC) const;

  int64_t heads_;
  at::Tensor mix_1I_;
  std::optional<nn::LayerNorm> norm_kv_;
  nn::LayerNorm norm1_;
  nn::Linear q_, kv_, proj_;
  nn::MlpBranch mlp_;
};

class CrossDecoder final : public Decoder {
 public:
  // Block names are those of TransformerDecoder; there is no "decoder_embed".
  CrossDecoder(const nn::Scope& scope, const DecoderOptions& options, const Source& source,
               const std::vector<Output>& outputs, Embeddings embeddings);

  // The observer sees, once per run of equal views, "decoder_blocks_in", "decoder_blocks.0", ...
  // [B * views, Q, D], then for each branch its blocks, norm and prediction.
  Reconstruction operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  struct Blocks {
    std::string name;
    std::vector<CrossBlock> blocks;

    Blocks(const nn::Scope& scope, std::string stem, int64_t depth, const DecoderOptions& options,
           const Source& source);
    // reads_NTC: one tensor per block.
    at::Tensor operator()(at::Tensor x_NQD, const at::Tensor* reads_NTC,
                          const nn::Observer& observer) const;
  };
  struct Branch {
    Blocks blocks;
    Head head;
  };

  // The tokens that each block attends to, shared blocks first, then those of the branches: one
  // tensor [B * views, T, C] per block.
  std::vector<at::Tensor> reads(const DecoderInput& seen, size_t run_index,
                                const masks::ViewRun& run) const;

  Embeddings embeddings_;
  bool reads_blocks_;
  Blocks blocks_;
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
