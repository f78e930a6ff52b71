// One update: pictures in, weights changed, loss and gradient norm out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "fcm/loader/loader.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/optim/adamw.h"
#include "fcm/targets/teachers.h"
#include "fcm/train/recipe.h"

namespace fcm::train {

// A loaded batch as a tensor that shares its memory: uint8 [B, H, W, C].
at::Tensor pictures_of(const loader::Batch& batch);

// Pictures on the device that a model is on.
at::Tensor to_device(const at::Tensor& pictures_BHWC, at::Device device);

// Pictures of a batch cut into patches by a plan, as fp32. All on one device.
at::Tensor pixels_of(const at::Tensor& pictures_BHWC, const masks::ViewPlan& plan,
                     const ops::PatchGeometry& geometry, const loader::DataOptions& options);

struct StepResult {
  double loss = 0;
  double gradient_norm = 0;
  bool applied = false;  // false: loss or norm was not finite, the weights are as before
  std::map<std::string, double> target_losses;  // unweighted, where there are several
  std::optional<targets::Spread> ema_spread;    // of the last micro-batch's targets
};

// Forward and backward over micro-batches, then one AdamW update at `lr`. A loss or gradient that
// is not finite leaves weights and moments untouched. `teachers`: those of the recipe's targets, or
// nullptr where it has none; the EMA among them is left as it is. Waits for a GPU, which
// QueuedUpdate does not.
StepResult update(models::MaskedAutoencoder& model, optim::AdamW& optimizer,
                  const loader::Batch& batch, const Recipe& recipe, at::ScalarType compute,
                  int64_t micro_batch, double lr, const targets::Teachers* teachers = nullptr);

}  // namespace fcm::train
