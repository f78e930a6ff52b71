#include "fcm/heads/batch_norm_probe.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/linear/op.h"

namespace fcm::heads {
namespace {

constexpr double kEpsilon = 1e-6, kMomentum = 0.1;

at::Tensor normalise(const at::Tensor& features_BD, const at::Tensor& mean_D,
                     const at::Tensor& variance_D) {
  return (features_BD - mean_D) * (variance_D + kEpsilon).rsqrt();
}

}  // namespace

BatchNormProbe::BatchNormProbe(const nn::Scope& scope, int64_t dim, int64_t classes)
    : running_mean_D_((scope / 0).add_table("running_mean", at::zeros({dim}), false)),
      running_variance_D_((scope / 0).add_table("running_var", at::ones({dim}), false)),
      weight_CD_((scope / 1).add("weight", {classes, dim}, nn::Init::kNormal01)),
      bias_C_((scope / 1).add("bias", {classes}, nn::Init::kZeros)) {}

at::Tensor BatchNormProbe::train(const at::Tensor& features_BD) {
  require(features_BD.size(0) > 1, "BatchNormProbe: expected a batch of at least 2 images, got {}",
          features_BD.size(0));
  const at::Tensor features = features_BD.to(running_mean_D_.scalar_type());
  const at::Tensor mean_D = features.mean(0);
  const at::Tensor variance_D = features.var(0, /*unbiased=*/false);
  const auto batch = static_cast<double>(features.size(0));
  {
    const at::NoGradGuard no_grad;
    running_mean_D_.lerp_(mean_D, kMomentum);
    running_variance_D_.lerp_(variance_D * (batch / (batch - 1)), kMomentum);
  }
  ++batches_;
  return ops::linear(normalise(features, mean_D, variance_D), weight_CD_, bias_C_);
}

at::Tensor BatchNormProbe::evaluate(const at::Tensor& features_BD) const {
  const at::Tensor features = features_BD.to(running_mean_D_.scalar_type());
  return ops::linear(normalise(features, running_mean_D_, running_variance_D_), weight_CD_,
                     bias_C_);
}

}  // namespace fcm::heads
