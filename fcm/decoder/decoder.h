// The transformer decoder of the masked autoencoders, one sequence per view.
// Source: models_fastconvmae.py forward_decoder. There the sequence is brought back to raster
// order; here it stays packed, visible patches first, which attention does not notice.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "fcm/decoder/options.h"
#include "fcm/decoder/reconstruction.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/layers.h"
#include "fcm/ops/patches.h"

namespace fcm::decoder {

class Decoder {
 public:
  // mask_token: [1, 1, dim]; positions_LD: frozen table in raster order.
  Decoder(const nn::Scope& scope, const DecoderOptions& options, int64_t encoder_dim,
          int64_t channels, const ops::PatchGeometry& geometry, at::Tensor mask_token,
          at::Tensor positions_LD);

  // latent [B, K, C] in plan order.
  Reconstruction operator()(const at::Tensor& latent_BKC, const masks::ViewPlan& plan) const;

 private:
  RunReconstruction reconstruct(const at::Tensor& embedded_BKD, const at::Tensor& positions_BLD,
                                const masks::ViewRun& run, int64_t patches) const;

  at::Tensor mask_token_, positions_LD_;
  nn::Linear embed_;
  std::vector<nn::Block> blocks_;
  nn::LayerNorm norm_;
  nn::Linear pred_;
};

}  // namespace fcm::decoder
