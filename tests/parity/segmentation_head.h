// Shared by the cases of segmentation heads: weights by name, and bounds.
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

// Procedural values for these parameters, float32 in upstream shapes; batch counters are 0.
reference::Weights procedural_weights(const nn::Parameters& parameters, uint64_t seed);
void set_weights(nn::Parameters& parameters, const reference::Weights& weights);
// Copies of the weights in dtype `type`; trainable ones require gradients.
reference::Weights as_type(const reference::Weights& weights, at::ScalarType type);

// The entry with its own errors file. If a file's name has several dots, its errors file is named
// after the whole name, not after the part before the first dot.
Entry with_own_errors(const Entry& entry);

// The bound in the set's README for float32: 3e-5 of a tensor's largest value.
inline constexpr double kSegmentationFloat32 = 3e-5;

}  // namespace fcm::parity
