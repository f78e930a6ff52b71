#include "fcm/loss/feature_loss.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::loss {

FeatureLoss feature_loss_named(const std::string& name) {
  if (name == "smooth_l1") return FeatureLoss::kSmoothL1;
  if (name == "mse") return FeatureLoss::kMse;
  require(name == "cosine", "feature loss \"{}\", expected smooth_l1, mse or cosine", name);
  return FeatureLoss::kCosine;
}

at::Tensor feature_loss_sum(FeatureLoss loss, const at::Tensor& predictions,
                            const at::Tensor& targets) {
  const at::Tensor guesses = predictions.to(targets.scalar_type());
  if (loss == FeatureLoss::kCosine) {
    return (1 - at::cosine_similarity(guesses, targets, -1)).sum();
  }
  const at::Tensor sum = loss == FeatureLoss::kMse
                             ? at::mse_loss(guesses, targets, at::Reduction::Sum)
                             : at::smooth_l1_loss(guesses, targets, at::Reduction::Sum);
  return sum / static_cast<double>(targets.size(-1));
}

at::Tensor hidden_feature_loss_sum(FeatureLoss loss, const at::Tensor& predictions_BGHD,
                                   const at::Tensor& targets_BLD,
                                   const at::Tensor& hidden_slots_GH) {
  const at::Tensor wanted_BGHD =
      targets_BLD.index_select(1, hidden_slots_GH.reshape({-1})).view(predictions_BGHD.sizes());
  return feature_loss_sum(loss, predictions_BGHD, wanted_BGHD);
}

}  // namespace fcm::loss
