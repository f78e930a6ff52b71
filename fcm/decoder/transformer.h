// The transformer decoder of masked autoencoders, one sequence per view. Source:
// models_fastconvmae.py forward_decoder. Upstream restores raster order; here the sequence keeps
// visible patches first, which makes no difference to attention. The decoder of models_mae.py is
// the same with a class token; upstream drops the class token's prediction, and this decoder does
// not compute it.
//
// Several targets share the first blocks; each target has its own last blocks, norm and prediction
// layer (after the figure "partially-shared decoder" of the FastConvMAE repository, whose code was
// never released). With one target this is upstream's decoder, with upstream's parameter names.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "fcm/decoder/decoder.h"
#include "fcm/decoder/head.h"

namespace fcm::decoder {

// Number of blocks that all targets share: decoder.depth minus the targets' own blocks.
int64_t shared_blocks(const DecoderOptions& options, size_t targets);

class TransformerDecoder final : public Decoder {
 public:
  // Parameters have upstream's names for one output, "decoder_blocks.*", "decoder_norm",
  // "decoder_pred"; for several outputs, "decoder_blocks.*" are the shared ones, followed by
  // "reconstructors.<name>.blocks.*", ".norm" and ".pred".
  TransformerDecoder(const nn::Scope& scope, const DecoderOptions& options, int64_t encoder_dim,
                     const std::vector<Output>& outputs, Embeddings embeddings);

  // The observer sees "decoder_embed" [B, K, D] or [B, G + K, D], and once per run of equal views
  // "decoder_blocks_in", "decoder_blocks.0", ... [B * views, L or 1 + L, D] (class token, visible
  // patches, hidden patches; row = image * views + view). The last block, "decoder_norm" and
  // "decoder_pred" cover the hidden patches only. With several outputs, each branch has its own
  // ("reconstructors.<name>.blocks_in", ".blocks.0", ".norm", ".pred").
  Reconstruction operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                            const nn::Observer& observer = {}) const override;

 private:
  // The modules of one target.
  struct Branch {
    nn::Blocks blocks;
    Head head;

    // x [N, T, D], of which the last `hidden` tokens are the hidden patches -> [N, hidden, D of the
    // target].
    at::Tensor operator()(const at::Tensor& x_NTD, int64_t hidden,
                          const nn::Observer& observer) const;
  };
  static Branch make_branch(const nn::Scope& scope, const DecoderOptions& options,
                            const Output& output, bool alone);
  // The tokens of all views, positions included: visible patches, class tokens (undefined if there
  // are none), and the mask token at each position in raster order, which all images and views
  // share.
  struct Embedded {
    at::Tensor patches_BKD, classes_BGD, hidden_LD;
    at::Tensor order_BL;  // ViewPlan::order_BL
  };
  Embedded embed(const at::Tensor& latent_BKC, const at::Tensor& class_latents_BGC,
                 const masks::ViewPlan& plan, const nn::Observer& observer) const;
  // The sequences of a run (class token, visible patches, hidden patches), as arguments of
  // ops::gather_rows: token t of sequence n is row indices_NT[n, t] of rows_RD.
  struct Tokens {
    at::Tensor rows_RD, indices_NT;
  };
  static Tokens tokens(const Embedded& embedded, const masks::ViewRun& run,
                       const at::Tensor& hidden_slots_GH);
  RunReconstruction reconstruct(const Embedded& embedded, const masks::ViewRun& run,
                                const at::Tensor& hidden_slots_GH,
                                const nn::Observer& observer) const;

  Embeddings embeddings_;
  bool shuffled_;  // whether DecoderOptions::kind is "transformer_shuffled"
  nn::Linear embed_;
  nn::Blocks blocks_;
  std::vector<Branch> branches_;
};

}  // namespace fcm::decoder
