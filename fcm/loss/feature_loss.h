// Losses of predicted features, over any patches or over the hidden patches of views.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace fcm::loss {

enum class FeatureLoss {
  kSmoothL1,  // beta 1, mean over the features of a patch
  kMse,       // mean over the features of a patch
  kCosine,    // 1 - cosine similarity
};
FeatureLoss feature_loss_named(const std::string& name);  // "smooth_l1", "mse", "cosine"

// The sum of all patches' losses, a scalar of the targets' type. predictions: [..., D], compute
// type. targets: the same shape, float32 or float64.
at::Tensor feature_loss_sum(FeatureLoss loss, const at::Tensor& predictions,
                            const at::Tensor& targets);

// feature_loss_sum for a decoder: predictions [B, views, hidden, D], targets [B, L, D] in plan
// order, hidden slots int64 [views, hidden].
at::Tensor hidden_feature_loss_sum(FeatureLoss loss, const at::Tensor& predictions_BGHD,
                                   const at::Tensor& targets_BLD,
                                   const at::Tensor& hidden_slots_GH);

}  // namespace fcm::loss
