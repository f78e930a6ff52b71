// One of the upstream segmentation heads, by both paths.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/nn/parameters.h"
#include "reference/reference.h"
#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {

// Procedural values of these parameters, counters 0: float32, upstream shapes.
reference::Weights procedural_weights(const nn::Parameters& parameters, uint64_t seed);
void set_weights(nn::Parameters& parameters, const reference::Weights& weights);
// Copies in a dtype; trainable ones require gradients.
reference::Weights as_type(const reference::Weights& weights, at::ScalarType type);

// If a file's name has more than one dot, its errors lie beside it under the whole name.
Entry with_own_errors(const Entry& entry);

// The bound in the set's README for float32: 3e-5 of a tensor's largest value.
inline constexpr double kSegmentationFloat32 = 3e-5;

}  // namespace fcm::parity
