#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace fcm::targets {

// What is to be reconstructed, by the name of the target ("clip", "dino", "ema"): a vector for each
// patch in plan order, [B, L, D], float32 or float64, without gradients.
using Features = std::map<std::string, at::Tensor>;

}  // namespace fcm::targets
