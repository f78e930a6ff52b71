// One of the published heads of segmentation, by both paths.
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

// Procedural values of these parameters, counters at 0: float32, published shapes.
reference::Weights procedural_weights(const nn::Parameters& parameters, uint64_t seed);
void set_weights(nn::Parameters& parameters, const reference::Weights& weights);
// Copies of a type, those that are trained with a place for a gradient.
reference::Weights as_type(const reference::Weights& weights, at::ScalarType type);

// Errors of a file whose name has more than one dot lie beside it under its whole name.
Entry with_own_errors(const Entry& entry);

// What the set's README allows in float32: 3e-5 of a tensor's largest value.
inline constexpr double kSegmentationFloat32 = 3e-5;

}  // namespace fcm::parity
