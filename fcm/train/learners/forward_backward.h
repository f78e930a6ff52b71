// Forward and backward of a micro-batch in pretraining.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"

namespace fcm::train {

// Losses of a micro-batch: scalars on the model's device. Reading one waits for the device.
struct Losses {
  at::Tensor loss;                               // the micro-batch's part of the batch loss
  std::map<std::string, at::Tensor> of_targets;  // one per target if there are several; neither
                                                 // weighted nor scaled by the share
  at::Tensor ema_BLC;                            // features of the EMA teacher; undefined: no such
                                                 // target
};

// Computes the loss of the images, scaled by `share` (their fraction of the batch), and adds its
// gradients to those of the model. images_BHWC: uint8; images and plan are on the model's device.
// `teachers`: those of the recipe's targets, or nullptr.
Losses forward_backward(const models::MaskedAutoencoder& model, const at::Tensor& images_BHWC,
                        const masks::ViewPlan& plan, const recipe::Recipe& recipe,
                        at::ScalarType compute, double share, const targets::Teachers* teachers);

}  // namespace fcm::train
