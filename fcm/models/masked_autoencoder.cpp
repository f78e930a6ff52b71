#include "fcm/models/masked_autoencoder.h"

#include <ATen/ATen.h>

#include "fcm/ops/patch_loss/op.h"
#include "fcm/targets/rgb.h"

namespace fcm::models {

MaskedAutoencoder::MaskedAutoencoder(const AutoencoderOptions& options, uint64_t seed,
                                     at::ScalarType dtype)
    : options_(options),
      geometry_{options.encoder.strides},
      grid_{options.rows / geometry_.patch_side(), options.cols / geometry_.patch_side()},
      parameters_(std::make_unique<nn::Parameters>(seed, dtype)) {
  const nn::Scope scope(*parameters_);
  const int64_t encoder_dim = options.encoder.dims.back(), decoder_dim = options.decoder.dim;
  // The published state_dict lists these first. Tables stay fp32-accurate in any type.
  const encoder::Embeddings embeddings = encoder::add_embeddings(
      scope, options.kind, encoder_dim, grid_, /*trainable_positions=*/false);
  const at::Tensor mask_token = scope.add("mask_token", {1, 1, decoder_dim}, nn::Init::kNormal02);
  const at::Tensor decoder_positions =
      scope.add_table("decoder_pos_embed",
                      nn::sincos_positions(grid_.rows, grid_.cols, decoder_dim,
                                           encoder::class_tokens(options.kind)),
                      /*trainable=*/false);
  encoder_ = encoder::make_encoder(options.kind, scope, options.encoder, options.channels,
                                   embeddings, encoder::Ending::kPretraining);
  decoder_ =
      std::make_unique<decoder::Decoder>(scope, options.decoder, encoder_dim, options.channels,
                                         geometry_, mask_token, decoder_positions);
  parameters_->flatten();
}

encoder::Features MaskedAutoencoder::encode(const at::Tensor& pixels_BLPD,
                                            const masks::ViewPlan& plan, at::ScalarType compute,
                                            const nn::Observer& observer) const {
  parameters_->round(compute);
  return (*encoder_)(pixels_BLPD.to(compute), plan, observer);
}

MaskedAutoencoder::Result MaskedAutoencoder::forward(const at::Tensor& pixels_BLPD,
                                                     const masks::ViewPlan& plan,
                                                     at::ScalarType compute,
                                                     const nn::Observer& observer) const {
  return reconstruct(encode(pixels_BLPD, plan, compute, observer), pixels_BLPD, plan, observer);
}

MaskedAutoencoder::Result MaskedAutoencoder::reconstruct(const encoder::Features& features,
                                                         const at::Tensor& pixels_BLPD,
                                                         const masks::ViewPlan& plan,
                                                         const nn::Observer& observer) const {
  Result result;
  result.features = features;
  result.reconstruction =
      (*decoder_)(features.latent_BKC, features.class_latents_BGC, plan, observer);
  const at::Tensor targets_BLD = targets::rgb_targets(pixels_BLPD, options_.targets);
  int64_t guesses = 0;
  for (const decoder::RunReconstruction& run : result.reconstruction.runs) {
    const at::Tensor sum = ops::patch_loss(run.predictions_BGHD, targets_BLD, run.hidden_slots_GH);
    result.loss = result.loss.defined() ? result.loss + sum : sum;
    guesses += run.predictions_BGHD.numel() / run.predictions_BGHD.size(3);
  }
  result.loss = result.loss / static_cast<double>(guesses);
  return result;
}

}  // namespace fcm::models
