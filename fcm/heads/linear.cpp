#include "fcm/heads/linear.h"

#include <ATen/ATen.h>

namespace fcm::heads {

LinearHead::LinearHead(const nn::Scope& scope, int64_t dim, int64_t classes, Pool pool,
                       double norm_epsilon)
    : pool_(pool),
      head_(scope / "head", dim, classes,
            pool == Pool::kMeanOfLatents ? nn::Init::kNormal02 : nn::Init::kNormal2e5) {
  if (pool == Pool::kMeanOfTokens) fc_norm_.emplace(scope / "fc_norm", dim, norm_epsilon);
}

at::Tensor LinearHead::pool(const encoder::Features& seen, at::ScalarType wide,
                            const nn::Observer& observer) const {
  if (pool_ == Pool::kMeanOfLatents) {
    return seen.latent_BKC.mean({1}, /*keepdim=*/false, wide);  // [B, C]
  }
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

}  // namespace fcm::heads
