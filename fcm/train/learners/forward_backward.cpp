#include "fcm/train/learners/forward_backward.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/models/inputs.h"
#include "fcm/ops/profile_scope.h"

namespace fcm::train {

Losses forward_backward(const models::MaskedAutoencoder& model, const at::Tensor& images_BHWC,
                        const masks::ViewPlan& plan, const recipe::Recipe& recipe,
                        at::ScalarType compute, double share, const targets::Teachers* teachers) {
  ops::enter_phase("encoder");
  const at::Tensor pixels_BLPD =
      models::pixels_of(images_BHWC, plan, model.geometry(), recipe.data);
  targets::Features features;
  if (teachers != nullptr) {
    ops::enter_phase("teachers");
    features = teachers->features(images_BHWC, pixels_BLPD, plan, compute);
    ops::enter_phase("encoder");
  }
  const encoder::Features seen = model.encode(pixels_BLPD, plan, compute);
  ops::enter_phase("decoder");
  const auto result = model.reconstruct(seen, pixels_BLPD, plan, {}, features);
  const at::Tensor loss = result.loss * share;
  ops::enter_phase("backward");
  torch::autograd::backward({loss}, {});
  Losses losses{loss.detach(), {}, {}};
  if (result.losses.size() > 1) {
    for (const auto& [name, of_target] : result.losses)
      losses.of_targets[name] = of_target.detach();
  }
  const auto ema = features.find("ema");
  if (ema != features.end()) losses.ema_BLC = ema->second;
  return losses;
}

}  // namespace fcm::train
