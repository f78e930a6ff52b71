#include "fcm/train/step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "fcm/ops/patchify/op.h"
#include "fcm/train/setup.h"

namespace fcm::train {

at::Tensor pictures_of(const loader::Batch& batch) {
  // from_blob wants a mutable pointer; nothing writes through it.
  return at::from_blob(const_cast<uint8_t*>(batch.pixels_BHWC.data()),
                       {batch.batch, batch.rows, batch.cols, batch.channels}, at::kByte);
}

at::Tensor to_device(const at::Tensor& pictures_BHWC, at::Device device) {
  if (!device.is_cuda()) return pictures_BHWC.to(device);
  // From pinned memory the copy goes on while the CPU makes plans; LibTorch keeps that memory until
  // the copy is done.
  return pictures_BHWC.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor pixels_of(const at::Tensor& pictures_BHWC, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry, const loader::DataOptions& options) {
  return ops::patchify(pictures_BHWC, plan.order_BL, geometry, normalisation(options), at::kFloat);
}

namespace {

// The share of a micro-batch in the loss of the batch; where there are several targets, theirs
// before the share. Read when all work is given to the device, which would wait otherwise.
struct Losses {
  at::Tensor loss;
  std::map<std::string, at::Tensor> of_targets;
  double share = 1;

  void add_to(StepResult& result) const {
    result.loss += loss.item<double>();
    for (const auto& [name, value] : of_targets) {
      result.target_losses[name] += value.item<double>() * share;
    }
  }
};

Losses losses_of(const models::MaskedAutoencoder& model, const at::Tensor& pixels_BLPD,
                 const masks::ViewPlan& plan, at::ScalarType compute,
                 const targets::Features& features, double share) {
  const auto result = model.forward(pixels_BLPD, plan, compute, {}, features);
  Losses losses{result.loss * share, {}, share};
  if (result.losses.size() == 1) return losses;
  for (const auto& [name, loss] : result.losses) losses.of_targets[name] = loss.detach();
  return losses;
}

}  // namespace

std::unique_ptr<GraphedPass> graphed_pass(models::MaskedAutoencoder& model, const Recipe& recipe,
                                          at::ScalarType compute, int64_t micro_batch) {
  if (!recipe.targets.features().empty()) return nullptr;
  const double share =
      static_cast<double>(micro_batch) / static_cast<double>(recipe.optim.batch_size);
  return std::make_unique<GraphedPass>(
      ops::make_cuda_graph(), model.parameters().flat_gradients(),
      [&model, compute, share](const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan) {
        return losses_of(model, pixels_BLPD, plan, compute, {}, share).loss;
      });
}

StepResult update(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
                  const loader::Batch& batch, const Recipe& recipe, at::ScalarType compute,
                  int64_t micro_batch, double lr, const targets::Teachers* teachers,
                  GraphedPass* graphed) {
  StepResult result;
  const at::Tensor pictures_BHWC = to_device(pictures_of(batch), model.device());
  std::vector<Losses> all_losses;
  optimizer.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += micro_batch) {
    const int64_t count = std::min(micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan plan =
        masks::plan_for_samples(ids, static_cast<uint64_t>(recipe.run.seed),
                                static_cast<uint64_t>(batch.epoch), model.grid(), recipe.masks)
            .to(model.device());
    const at::Tensor some_BHWC = pictures_BHWC.narrow(0, first, count);
    const at::Tensor pixels_BLPD = pixels_of(some_BHWC, plan, model.geometry(), recipe.data);
    targets::Features features;
    if (teachers != nullptr) features = teachers->features(some_BHWC, pixels_BLPD, plan, compute);
    const double share = static_cast<double>(count) / static_cast<double>(batch.batch);
    Losses losses;
    if (graphed != nullptr && count == micro_batch) {
      losses.loss = (*graphed)(pixels_BLPD, plan);
    } else {
      losses = losses_of(model, pixels_BLPD, plan, compute, features, share);
      torch::autograd::backward({losses.loss}, {});
      losses.loss = losses.loss.detach();
    }
    all_losses.push_back(std::move(losses));
    const auto ema = features.find("ema");
    if (ema != features.end()) result.ema_spread = targets::spread_of(ema->second);
  }
  for (const Losses& losses : all_losses) losses.add_to(result);
  result.gradient_norm = optimizer.gradient_norm();
  result.applied = std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
  if (!result.applied) return result;
  const double limit = recipe.optim.clip_norm;
  const bool clip = limit > 0 && result.gradient_norm > limit;
  optimizer.step(lr, clip ? limit / result.gradient_norm : 1.0);
  return result;
}

}  // namespace fcm::train
