// Forward and backward of some images of a batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"

namespace fcm::train {

// Scalars on the model's device; reading them waits for it.
struct Losses {
  at::Tensor loss;                               // the images' share of the batch loss
  std::map<std::string, at::Tensor> of_targets;  // if there are several targets; unweighted, not
                                                 // scaled by the share
  at::Tensor ema_BLC;                            // features of the EMA teacher; undefined: no such
                                                 // target
};

// Adds the gradients of the images' share of the batch loss. images_BHWC: uint8 on the model's
// device, as is the plan. `teachers`: those of the recipe's targets, or nullptr.
Losses forward_backward(const models::MaskedAutoencoder& model, const at::Tensor& images_BHWC,
                        const masks::ViewPlan& plan, const recipe::Recipe& recipe,
                        at::ScalarType compute, double share, const targets::Teachers* teachers);

}  // namespace fcm::train
