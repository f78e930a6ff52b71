#include "fcm/encoder/vit.h"

#include <ATen/ATen.h>

namespace fcm::encoder {
namespace {

// Sequences of runs, taken apart into patches and class tokens.
struct Parts {
  std::vector<at::Tensor> patches, classes;

  // x [B * views, 1 + k, C], row = picture * views + view
  void add(const at::Tensor& x_NTC, int64_t batch, const masks::ViewRun& run) {
    const at::Tensor x_BGTC = x_NTC.unflatten(0, {batch, run.views});
    classes.push_back(x_BGTC.select(2, 0));                          // [B, views, C]
    patches.push_back(x_BGTC.narrow(2, 1, run.size).flatten(1, 2));  // [B, views * k, C]
  }
  static at::Tensor joined(const std::vector<at::Tensor>& parts) {
    return parts.size() == 1 ? parts[0] : at::cat(parts, 1);
  }
};

}  // namespace

// Members are declared in the published order of parameters.
Vit::Vit(const nn::Scope& scope, const EncoderOptions& options, int64_t channels,
         Embeddings embeddings, Ending ending)
    : embeddings_(std::move(embeddings)),
      embed_(nn::Linear::convolution(scope / "patch_embed" / "proj", channels, options.dims[0],
                                     options.strides[0], nn::row_by_row(options.strides[0]),
                                     nn::Init::kXavierUniform)),
      blocks_(scope, "blocks", options.depths[0], options.dims[0], options.heads,
              options.mlp_ratios[0]) {
  if (ending != Ending::kNothing) norm_.emplace(scope / "norm", options.dims[0], 1e-6);
}

Features Vit::operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                         const nn::Observer& observer) const {
  const int64_t batch = plan.batch(), kept = plan.kept_slots();
  at::Tensor x_BKC = embed_(pixels_BLPD.narrow(1, 0, kept)).squeeze(2);  // [B, K, C]
  nn::observe(observer, "patch_embed", x_BKC);
  const at::Tensor positions_TC = embeddings_.positions_1TC[0].to(x_BKC.scalar_type());
  const at::Tensor row_of_slot = plan.order_BL.narrow(1, 0, kept).reshape({-1}) + 1;
  x_BKC = x_BKC + positions_TC.index_select(0, row_of_slot).view_as(x_BKC);  // [B, K, C]
  const at::Tensor class_11C =
      embeddings_.class_token_11C.to(x_BKC.scalar_type()) + positions_TC[0];

  Parts tokens, latents;
  for (const masks::ViewRun& run : plan.kept_runs()) {
    const int64_t slots = run.views * run.size, sequences = batch * run.views;
    at::Tensor x_NTC = x_BKC.narrow(1, run.first_slot, slots).reshape({sequences, run.size, -1});
    x_NTC = at::cat({class_11C.expand({sequences, 1, -1}), x_NTC}, 1);  // [B * views, 1 + k, C]
    x_NTC = blocks_(x_NTC, observer);
    tokens.add(x_NTC, batch, run);
    if (!norm_) continue;
    x_NTC = (*norm_)(x_NTC);  // [B * views, 1 + k, C]
    nn::observe(observer, "norm", x_NTC);
    latents.add(x_NTC, batch, run);
  }
  Features features;
  features.tokens_BKC = Parts::joined(tokens.patches);        // [B, K, C]
  features.class_tokens_BGC = Parts::joined(tokens.classes);  // [B, G, C]
  if (norm_) {
    features.latent_BKC = Parts::joined(latents.patches);
    features.class_latents_BGC = Parts::joined(latents.classes);
  }
  return features;
}

}  // namespace fcm::encoder
