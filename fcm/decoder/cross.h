// The decoder of CrossMAE (arXiv 2401.14391, models_cross.py), one sequence per view: hidden
// patches are queries that attend to the view's visible tokens and not to each other. So any of
// them may be left out (DecoderOptions::share) and the others are what they were.
//
// Each block reads the encoder's result, or, with reads = "mix" (inter-block attention), a learned
// weighted sum of what each block of the encoder's last stage takes and of that result, which it
// normalises. The published program has the bare result of the last block in the result's place:
// here the encoder's norm and fused stages learn too, whatever a block reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"
#include "fcm/decoder/head.h"

namespace fcm::decoder {

// The blocks of a run of views of which each has `drawn` patches to guess.
nn::Cost cross_blocks_cost(const DecoderOptions& options, const Source& source,
                           const masks::ViewRun& run, int64_t drawn);

// x + proj(attention of norm1(x) to the read tokens), then the MLP.
class CrossBlock {
 public:
  // Adds, where it reads a mix, "mix.weight" [1, sources] and "norm_kv"; then as published "norm1",
  // "cross_attn.q", "cross_attn.kv", "cross_attn.proj", "norm2" and "mlp".
  CrossBlock(const nn::Scope& scope, const DecoderOptions& options, const Source& source);

  // x [N, Q, D]; read [N, T, C]: the latent, or the block's mix -> [N, Q, D].
  at::Tensor operator()(const at::Tensor& x_NQD, const at::Tensor& read_NTC) const;
  // Undefined where the block reads the latent.
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
  // Blocks are called as those of TransformerDecoder; there is no "decoder_embed".
  CrossDecoder(const nn::Scope& scope, const DecoderOptions& options, const Source& source,
               const std::vector<Output>& outputs, Embeddings embeddings);

  // The observer sees, once per run of equal views, "decoder_blocks_in", "decoder_blocks.0", ...
  // [B * views, Q, D], and those of each branch in their place, then its norm and prediction.
  Reconstruction operator()(const Seen& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  struct Blocks {
    std::string name;
    std::vector<CrossBlock> blocks;

    Blocks(const nn::Scope& scope, std::string stem, int64_t depth, const DecoderOptions& options,
           const Source& source);
    // reads_NTC: of these blocks, one each.
    at::Tensor operator()(at::Tensor x_NQD, const at::Tensor* reads_NTC,
                          const nn::Observer& observer) const;
  };
  struct Branch {
    Blocks blocks;
    Head head;
  };

  // What each block attends to, shared blocks first, then those of the branches: one tensor
  // [B * views, T, C] for each of them.
  std::vector<at::Tensor> reads(const Seen& seen, size_t run_index,
                                const masks::ViewRun& run) const;

  Embeddings embeddings_;
  bool reads_blocks_;
  Blocks blocks_;
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
