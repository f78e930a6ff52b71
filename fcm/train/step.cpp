#include "fcm/train/step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "fcm/ops/patchify/op.h"
#include "fcm/train/setup.h"

namespace fcm::train {

at::Tensor pictures_of(const loader::Batch& batch) {
  // from_blob wants a mutable pointer; nothing writes through it.
  return at::from_blob(const_cast<uint8_t*>(batch.pixels_BHWC.data()),
                       {batch.batch, batch.rows, batch.cols, batch.channels}, at::kByte);
}

at::Tensor pixels_of(const at::Tensor& pictures_BHWC, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry, const loader::DataOptions& options) {
  return ops::patchify(pictures_BHWC, plan.order_BL, geometry, normalisation(options), at::kFloat);
}

namespace {

// The share of a micro-batch in the loss of the batch; where there are several targets, in theirs.
struct Losses {
  at::Tensor loss;
  std::map<std::string, double> of_targets;
};

Losses losses_of(const models::MaskedAutoencoder& model, const at::Tensor& pixels_BLPD,
                 const masks::ViewPlan& plan, at::ScalarType compute,
                 const targets::Features& features, double share) {
  const auto result = model.forward(pixels_BLPD, plan, compute, {}, features);
  Losses losses{result.loss * share, {}};
  if (result.losses.size() == 1) return losses;
  for (const auto& [name, loss] : result.losses) {
    losses.of_targets[name] = loss.item<double>() * share;
  }
  return losses;
}

}  // namespace

StepResult update(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
                  const loader::Batch& batch, const Recipe& recipe, at::ScalarType compute,
                  int64_t micro_batch, double lr, const targets::Teachers* teachers) {
  StepResult result;
  const at::Tensor pictures_BHWC = pictures_of(batch);
  optimizer.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += micro_batch) {
    const int64_t count = std::min(micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan plan =
        masks::plan_for_samples(ids, static_cast<uint64_t>(recipe.run.seed),
                                static_cast<uint64_t>(batch.epoch), model.grid(), recipe.masks);
    const at::Tensor some_BHWC = pictures_BHWC.narrow(0, first, count);
    const at::Tensor pixels_BLPD = pixels_of(some_BHWC, plan, model.geometry(), recipe.data);
    targets::Features features;
    if (teachers != nullptr) features = teachers->features(some_BHWC, pixels_BLPD, plan, compute);
    const double share = static_cast<double>(count) / static_cast<double>(batch.batch);
    const auto [loss, losses] = losses_of(model, pixels_BLPD, plan, compute, features, share);
    torch::autograd::backward({loss}, {});
    result.loss += loss.item<double>();
    for (const auto& [name, value] : losses) result.target_losses[name] += value;
    const auto ema = features.find("ema");
    if (ema != features.end()) result.ema_spread = targets::spread_of(ema->second);
  }
  result.gradient_norm = optimizer.gradient_norm();
  result.applied = std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
  if (!result.applied) return result;
  const double limit = recipe.optim.clip_norm;
  const bool clip = limit > 0 && result.gradient_norm > limit;
  optimizer.step(lr, clip ? limit / result.gradient_norm : 1.0);
  return result;
}

}  // namespace fcm::train
