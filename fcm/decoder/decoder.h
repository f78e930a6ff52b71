// The transformer decoder of the masked autoencoders, one sequence per view.
// Source: models_fastconvmae.py forward_decoder. There the sequence is brought back to raster
// order; here it stays packed, visible patches first, which attention does not notice. The decoder
// of models_mae.py is the same behind a class token, whose prediction is dropped there and never
// made here.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/decoder/options.h"
#include "fcm/decoder/reconstruction.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::decoder {

class Decoder {
 public:
  // mask_token: [1, 1, dim]; positions: frozen table in raster order, [1, L, dim], or [1, 1 + L,
  // dim] where there are class tokens.
  Decoder(const nn::Scope& scope, const DecoderOptions& options, int64_t encoder_dim,
          int64_t channels, const ops::PatchGeometry& geometry, at::Tensor mask_token,
          at::Tensor positions_1TD);

  // latent [B, K, C] in plan order; class_latents [B, G, C], one of each kept view, or undefined.
  // The observer sees "decoder_embed" [B, K, D] or [B, G + K, D], and once per run of equal views
  // "decoder_blocks_in", "decoder_blocks.0", ... [B * views, L or 1 + L, D] (class token, visible
  // patches, hidden patches; row = picture * views + view), the last block, "decoder_norm" and
  // "decoder_pred" of the hidden patches alone.
  Reconstruction operator()(const at::Tensor& latent_BKC, const at::Tensor& class_latents_BGC,
                            const masks::ViewPlan& plan, const nn::Observer& observer = {}) const;

 private:
  // What the sequences of the views are made of; classes undefined where there are none.
  struct Embedded {
    at::Tensor patches_BKD, positions_BLD, classes_BGD;
  };
  Embedded embed(const at::Tensor& latent_BKC, const at::Tensor& class_latents_BGC,
                 const masks::ViewPlan& plan, const nn::Observer& observer) const;
  RunReconstruction reconstruct(const Embedded& embedded, const masks::ViewRun& run,
                                int64_t patches, const nn::Observer& observer) const;

  at::Tensor mask_token_, positions_1TD_;
  nn::Linear embed_;
  nn::Blocks blocks_;
  nn::LayerNorm norm_;
  nn::Linear pred_;
};

}  // namespace fcm::decoder
