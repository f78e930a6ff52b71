// The transformer decoder of the masked autoencoders, one sequence per view.
// Source: models_fastconvmae.py forward_decoder. There the sequence is brought back to raster
// order; here it stays packed, visible patches first, which attention does not notice. The decoder
// of models_mae.py is the same behind a class token, whose prediction is dropped there and never
// made here.
//
// Several targets share the first blocks; each has the last ones, norm and prediction of its own
// (the figure of the FastConvMAE repository, "partially-shared decoder"; nothing but the figure was
// published). With one target this is the plain decoder, names included.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"
#include "fcm/decoder/head.h"

namespace fcm::decoder {

// Blocks that all targets share: decoder.depth less those that belong to single ones.
int64_t shared_blocks(const DecoderOptions& options, size_t targets);

class TransformerDecoder final : public Decoder {
 public:
  // Parameters of one output are called "decoder_blocks.*",
  // "decoder_norm", "decoder_pred" as published; of several, "reconstructors.<name>.blocks.*",
  // ".norm", ".pred" behind the shared "decoder_blocks.*".
  TransformerDecoder(const nn::Scope& scope, const DecoderOptions& options, int64_t encoder_dim,
                     const std::vector<Output>& outputs, Embeddings embeddings);

  // The observer sees "decoder_embed" [B, K, D] or [B, G + K, D], and once per run of equal views
  // "decoder_blocks_in", "decoder_blocks.0", ... [B * views, L or 1 + L, D] (class token, visible
  // patches, hidden patches; row = picture * views + view), the last block, "decoder_norm" and
  // "decoder_pred" of the hidden patches alone. With several outputs it sees those of each branch
  // in their place ("reconstructors.<name>.blocks_in", ".blocks.0", ".norm", ".pred").
  Reconstruction operator()(const Seen& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  // What one target has of its own.
  struct Branch {
    nn::Blocks blocks;
    Head head;

    // x [N, T, D], hidden patches last -> [N, hidden, D of the target]; T = hidden where the branch
    // has no blocks.
    at::Tensor operator()(const at::Tensor& x_NTD, int64_t hidden,
                          const nn::Observer& observer) const;
  };
  static Branch make_branch(const nn::Scope& scope, const DecoderOptions& options,
                            const Output& output, bool alone);
  // What the sequences of the views are made of, positions included: visible patches, class tokens
  // (undefined where there are none), and what stands for a hidden patch at each place of the
  // picture, in raster order, the same for all pictures and views.
  struct Embedded {
    at::Tensor patches_BKD, classes_BGD, hidden_LD;
    at::Tensor order_BL;  // of the plan
  };
  Embedded embed(const at::Tensor& latent_BKC, const at::Tensor& class_latents_BGC,
                 const masks::ViewPlan& plan, const nn::Observer& observer) const;
  // The sequences of a run, class token, visible patches, hidden patches, as ops::gather_rows takes
  // them.
  struct Tokens {
    at::Tensor rows_RD, places_NT;
  };
  static Tokens tokens(const Embedded& embedded, const masks::ViewRun& run,
                       const at::Tensor& hidden_slots_GH);
  RunReconstruction reconstruct(const Embedded& embedded, const masks::ViewRun& run,
                                const at::Tensor& hidden_slots_GH,
                                const nn::Observer& observer) const;

  Embeddings embeddings_;
  bool shuffled_;  // DecoderOptions::kind
  nn::Linear embed_;
  nn::Blocks blocks_;
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
