#include "fcm/train/step.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include "fcm/ops/patchify/op.h"
#include "fcm/train/micro_batch.h"
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

StepResult update(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
                  const loader::Batch& batch, const Recipe& recipe, at::ScalarType compute,
                  int64_t micro_batch, double lr, const targets::Teachers* teachers) {
  StepResult result;
  const at::Tensor pictures_BHWC = to_device(pictures_of(batch), model.device());
  // Read when all work is given to the device, which would wait otherwise.
  std::vector<std::pair<Losses, double>> losses_and_shares;
  optimizer.zero_gradients();
  for (int64_t first = 0; first < batch.batch; first += micro_batch) {
    const int64_t count = std::min(micro_batch, batch.batch - first);
    const std::span<const int64_t> ids(batch.sample_ids.data() + first, static_cast<size_t>(count));
    const masks::ViewPlan plan =
        masks::plan_for_samples(ids, static_cast<uint64_t>(recipe.run.seed),
                                static_cast<uint64_t>(batch.epoch), model.grid(), recipe.masks)
            .to(model.device());
    const double share = static_cast<double>(count) / static_cast<double>(batch.batch);
    losses_and_shares.emplace_back(forward_backward(model, pictures_BHWC.narrow(0, first, count),
                                                    plan, recipe, compute, share, teachers),
                                   share);
    const at::Tensor& ema_BLC = losses_and_shares.back().first.ema_BLC;
    if (ema_BLC.defined()) result.ema_spread = targets::spread_of(ema_BLC);
  }
  for (const auto& [losses, share] : losses_and_shares) {
    result.loss += losses.loss.item<double>();
    for (const auto& [name, loss] : losses.of_targets) {
      result.target_losses[name] += loss.item<double>() * share;
    }
  }
  result.gradient_norm = optimizer.gradient_norm();
  result.applied = std::isfinite(result.loss) && std::isfinite(result.gradient_norm);
  if (!result.applied) return result;
  optimizer.step(lr, optimizer.clip_scale(result.gradient_norm));
  return result;
}

}  // namespace fcm::train
