#include "fcm/models/classifier.h"

#include <ATen/ATen.h>

#include <numeric>

#include "fcm/base/error.h"

namespace fcm::models {

Classifier::Classifier(const ClassifierOptions& options, uint64_t seed,
                       const at::TensorOptions& held)
    : options_(options),
      geometry_{options.encoder.strides},
      grid_{options.rows / geometry_.patch_side(), options.cols / geometry_.patch_side()},
      drop_path_rates_(nn::drop_path_rates(
          options.drop_path,
          std::reduce(options.encoder.depths.begin(), options.encoder.depths.end()))),
      parameters_(std::make_unique<nn::Parameters>(seed, held)) {
  const nn::Scope scope(*parameters_);
  const int64_t dim = options.encoder.dims.back();
  const encoder::Embeddings embeddings =
      encoder::add_embeddings(scope, options.kind, dim, grid_, options.trainable_positions);
  encoder_ = encoder::make_encoder(options.kind, scope, options.encoder, options.channels,
                                   embeddings, encoder::Outputs{.norm = !options.mean_pool});
  head_.emplace(scope / "head", dim, options.classes, nn::Init::kNormal2e5);
  if (options.mean_pool) fc_norm_.emplace(scope / "fc_norm", dim, 1e-6);
  parameters_->flatten();
}

nn::DropPath Classifier::draw_drop_path(uint64_t seed, uint64_t epoch,
                                        std::span<const int64_t> sample_ids) const {
  return nn::draw_drop_path(drop_path_rates_, seed, epoch, sample_ids, device());
}

at::Tensor Classifier::features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                at::ScalarType compute, const nn::DropPath& drop_path,
                                const nn::Observer& observer) const {
  require(plan.sizes.size() == 1 && plan.kept == 1, "a classifier that does not see every patch");
  parameters_->round(compute);
  const encoder::Features seen = (*encoder_)(pixels_BLPD.to(compute), plan, observer, drop_path);
  const at::ScalarType wide = at::promote_types(compute, at::kFloat);
  if (!fc_norm_) {
    const at::Tensor& latents_BTC =
        seen.class_latents_BGC.defined() ? seen.class_latents_BGC : seen.latent_BKC;
    return latents_BTC.select(1, 0).to(wide);  // [B, C]
  }
  const at::Tensor mean_BC = seen.tokens_BKC.mean({1}, /*keepdim=*/false, wide);  // [B, C]
  const at::Tensor features_BC = (*fc_norm_)(mean_BC);
  nn::observe(observer, "fc_norm", features_BC);
  return features_BC;
}

at::Tensor Classifier::classify(const at::Tensor& features_BC) const {
  return (*head_)(features_BC);  // [B, classes]
}

}  // namespace fcm::models
