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
  encoder::Embeddings embeddings =
      encoder::add_embeddings(scope, options.kind, dim, grid_, options.trainable_positions);
  embeddings.products = nn::Init::kNormal02;
  encoder_ = encoder::make_encoder(options.kind, scope, options.encoder, options.channels,
                                   embeddings, heads::LinearHead::wanted(pool()));
  head_.emplace(scope, dim, options.classes, pool(), options.encoder.norm_epsilon);
  parameters_->flatten();
}

heads::Pool Classifier::pool() const {
  if (!options_.mean_pool) return heads::Pool::kToken;
  return encoder::family(options_.kind).pools_latents ? heads::Pool::kMeanOfLatents
                                                      : heads::Pool::kMeanOfTokens;
}

nn::DropPath Classifier::draw_drop_path(uint64_t seed, uint64_t epoch,
                                        std::span<const int64_t> sample_ids) const {
  return nn::draw_drop_path(drop_path_rates_, seed, epoch, sample_ids, device());
}

at::Tensor Classifier::features(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                                at::ScalarType compute, const nn::DropPath& drop_path,
                                const nn::Observer& observer) const {
  require(plan.sizes.size() == 1 && plan.kept == 1,
          "Classifier: got a plan of {} views, {} of them kept; expected one view of all "
          "patches, kept (masks::full_plan)",
          plan.sizes.size(), plan.kept);
  parameters_->round(compute);
  const encoder::Features seen = (*encoder_)(pixels_BLPD.to(compute), plan, observer, drop_path);
  return head_->pool(seen, at::promote_types(compute, at::kFloat), observer);  // [B, C]
}

at::Tensor Classifier::classify(const at::Tensor& features_BC) const {
  return (*head_)(features_BC);  // [B, classes]
}

}  // namespace fcm::models
