#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace fcm::targets {

// Feature targets by name ("clip", "dino", "ema"): one vector per patch in plan order, [B, L, D],
// float32 or float64, without gradients.
using Features = std::map<std::string, at::Tensor>;

}  // namespace fcm::targets
