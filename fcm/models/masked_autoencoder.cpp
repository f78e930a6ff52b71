#include "fcm/models/masked_autoencoder.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/encoder/registry.h"
#include "fcm/loss/feature_loss.h"
#include "fcm/ops/patch_loss/op.h"
#include "fcm/targets/rgb.h"

namespace fcm::models {
namespace {

// The decoder predicts pixels in storage order, with a pixel's channels next to each other.
// Upstream predicts them row by row, and with a linear decoder one channel after another, as its
// pixel shuffle expects. The layout converts weights between the two orders.
nn::Layout pixel_layout(const ops::PatchGeometry& geometry, const AutoencoderOptions& options) {
  const std::vector<int64_t> pixels = geometry.pixel_order();
  if (!options.decoder.linear()) {
    return {nn::Layout::Kind::kRows, pixels, options.channels};
  }
  nn::Layout layout{nn::Layout::Kind::kRows, {}, 1};
  for (const int64_t pixel : pixels) {
    for (int64_t channel = 0; channel < options.channels; ++channel) {
      layout.order.push_back(channel * static_cast<int64_t>(pixels.size()) + pixel);
    }
  }
  return layout;
}

decoder::Source source_of(const AutoencoderOptions& options) {
  return {options.encoder.dims.back(), options.encoder.depths.back(),
          encoder::family(options.kind).class_tokens};
}

std::vector<decoder::Output> outputs_of(const AutoencoderOptions& options) {
  const ops::PatchGeometry geometry{options.encoder.strides};
  std::vector<decoder::Output> outputs;
  for (const std::string& name : options.targets.reconstructed()) {
    if (name == "rgb") {
      outputs.push_back({name, geometry.patch_side() * geometry.patch_side() * options.channels,
                         pixel_layout(geometry, options)});
    } else {
      outputs.push_back(
          {name, targets::feature_dim(options.targets, name, options.encoder.dims.back()), {}});
    }
  }
  return outputs;
}

const at::Tensor& features_of(const targets::Features& features, const std::string& name) {
  const auto found = features.find(name);
  require(found != features.end(),
          "MaskedAutoencoder: expected features for target {}; run its teacher first "
          "(targets::Teachers); got features for {} targets",
          name, features.size());
  return found->second;
}

}  // namespace

nn::Cost cost(const AutoencoderOptions& options, const masks::ViewPlan& plan) {
  const encoder::Family& family = encoder::family(options.kind);
  masks::ViewPlan seen = plan;
  if (options.decoder.linear()) {  // the encoder sees all patches
    seen.sizes = {plan.patches()};
    seen.kept = 1;
  }
  nn::Cost sum = family.cost(options.encoder, options.channels, seen, {.norm = true, .fuse = true});
  sum += decoder::cost(options.decoder, source_of(options), outputs_of(options), plan);
  return sum;
}

MaskedAutoencoder::MaskedAutoencoder(const AutoencoderOptions& options, uint64_t seed,
                                     const at::TensorOptions& held)
    : options_(options),
      geometry_{options.encoder.strides},
      grid_{options.rows / geometry_.patch_side(), options.cols / geometry_.patch_side()},
      parameters_(std::make_unique<nn::Parameters>(seed, held)) {
  const nn::Scope scope(*parameters_);
  const int64_t encoder_dim = options.encoder.dims.back();
  // Upstream's state_dict lists the embeddings first. Tables keep float32 precision in any compute
  // type.
  encoder::Embeddings of_encoder = encoder::add_embeddings(scope, options.kind, encoder_dim, grid_,
                                                           /*trainable_positions=*/false);
  if (options.decoder.linear()) encoder::add_mask_token(scope, options.encoder, of_encoder);
  const decoder::Embeddings of_decoder = decoder::add_embeddings(
      scope, options.decoder, grid_, encoder::family(options.kind).class_tokens);
  encoder_ = encoder::make_encoder(
      options.kind, scope, options.encoder, options.channels, of_encoder,
      encoder::Outputs{.norm = true, .fuse = true, .block_inputs = options.decoder.reads_blocks()});
  decoder_ = decoder::make_decoder(scope, options.decoder, source_of(options), outputs_of(options),
                                   of_decoder);
  if (options.targets.mimic != "none") {
    const int64_t dim = targets::feature_dim(options.targets, options.targets.mimic, encoder_dim);
    mimic_norm_.emplace(scope / "mimic" / "norm", encoder_dim, 1e-6);
    mimic_pred_.emplace(scope / "mimic" / "pred", encoder_dim, dim);
  }
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
                                                     const nn::Observer& observer,
                                                     const targets::Features& features) const {
  return reconstruct(encode(pixels_BLPD, plan, compute, observer), pixels_BLPD, plan, observer,
                     features);
}

MaskedAutoencoder::Result MaskedAutoencoder::reconstruct(const encoder::Features& features,
                                                         const at::Tensor& pixels_BLPD,
                                                         const masks::ViewPlan& plan,
                                                         const nn::Observer& observer,
                                                         const targets::Features& wanted) const {
  Result result;
  result.features = features;
  result.reconstruction = (*decoder_)(
      {features.latent_BKC, features.class_latents_BGC, features.block_inputs_NTC}, plan, observer);
  const auto add = [&](const std::string& name, const at::Tensor& loss) {
    result.losses.emplace_back(name, loss);
    const at::Tensor weighted = loss * options_.targets.weight(name);
    result.loss = result.loss.defined() ? result.loss + weighted : weighted;
  };
  size_t output = 0;
  for (const std::string& name : options_.targets.reconstructed()) {
    add(name, target_loss(name, output++, result.reconstruction, pixels_BLPD, wanted));
  }
  if (mimic_pred_) add("mimic", mimic_loss(features.latent_BKC, wanted));
  return result;
}

at::Tensor MaskedAutoencoder::target_loss(const std::string& name, size_t output,
                                          const decoder::Reconstruction& reconstruction,
                                          const at::Tensor& pixels_BLPD,
                                          const targets::Features& wanted) const {
  const bool rgb = name == "rgb";
  const loss::FeatureLoss kind = loss::feature_loss_named(options_.targets.loss);
  const at::Tensor targets_BLD =
      rgb ? targets::rgb_targets(pixels_BLPD, options_.targets) : features_of(wanted, name);
  const auto error =
      options_.targets.pixel_loss == "l1" ? ops::PatchError::kAbsolute : ops::PatchError::kSquared;
  at::Tensor loss;
  int64_t guesses = 0;
  for (const decoder::RunReconstruction& run : reconstruction.runs) {
    const at::Tensor& predictions_BGHD = run.predictions_BGHD[output];
    const at::Tensor sum =
        rgb ? ops::patch_loss(predictions_BGHD, targets_BLD, run.hidden_slots_GH, error)
            : loss::hidden_feature_loss_sum(kind, predictions_BGHD, targets_BLD,
                                            run.hidden_slots_GH);
    loss = loss.defined() ? loss + sum : sum;
    guesses += predictions_BGHD.numel() / predictions_BGHD.size(3);
  }
  return loss / static_cast<double>(guesses);
}

at::Tensor MaskedAutoencoder::mimic_loss(const at::Tensor& latent_BKC,
                                         const targets::Features& wanted) const {
  const at::Tensor predictions_BKD = (*mimic_pred_)((*mimic_norm_)(latent_BKC));
  const int64_t kept = latent_BKC.size(1);  // the kept views come first in plan order
  const at::Tensor targets_BKD = features_of(wanted, options_.targets.mimic).narrow(1, 0, kept);
  return loss::feature_loss_sum(loss::feature_loss_named(options_.targets.loss), predictions_BKD,
                                targets_BKD) /
         static_cast<double>(latent_BKC.size(0) * kept);
}

}  // namespace fcm::models
