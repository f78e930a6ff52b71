// Forward and backward of some images of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"

namespace fcm::train {

// Scalars where the model is; whoever reads them waits for the device.
struct Losses {
  at::Tensor loss;                               // the share of these images in the batch's
  std::map<std::string, at::Tensor> of_targets;  // where there are several; not weighted, whole
  at::Tensor ema_BLC;                            // features of the moving average; empty: no target
};

// Adds gradients of the images' share in the loss of their batch. images: uint8 [B, H, W, C]
// on the model's device, as the plan. `teachers`: those of the recipe's targets, or nullptr.
Losses forward_backward(const models::MaskedAutoencoder& model, const at::Tensor& pictures_BHWC,
                        const masks::ViewPlan& plan, const recipe::Recipe& recipe,
                        at::ScalarType compute, double share, const targets::Teachers* teachers);

}  // namespace fcm::train
