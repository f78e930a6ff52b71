#include "fcm/train/micro_batch.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "fcm/train/step.h"

namespace fcm::train {

Losses forward_backward(const models::MaskedAutoencoder& model, const at::Tensor& pictures_BHWC,
                        const masks::ViewPlan& plan, const Recipe& recipe, at::ScalarType compute,
                        double share, const targets::Teachers* teachers) {
  const at::Tensor pixels_BLPD = pixels_of(pictures_BHWC, plan, model.geometry(), recipe.data);
  targets::Features features;
  if (teachers != nullptr) features = teachers->features(pictures_BHWC, pixels_BLPD, plan, compute);
  const auto result = model.forward(pixels_BLPD, plan, compute, {}, features);
  const at::Tensor loss = result.loss * share;
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
