// What a path computes for a file of the set of detection, and what the set's README allows.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "fcm/nn/parameters.h"
#include "reference/reference.h"
#include "tests/parity/cases.h"
#include "tests/parity/run.h"

namespace fcm::parity {

// Every stored tensor whose name does not begin with one of `given` (what a case starts from)
// against the computed one of its name: whole numbers exactly, boxes to a thousandth of a pixel,
// gradients in float64 to 1e-5 of a tensor's largest value, in float32 to 1e-4 of its norm, the
// rest by the file's own error. What is stored and not computed is a fault.
void compare_detection(CaseResult& result, const Entry& entry, const Tensors& stored,
                       const Tensors& got, at::ScalarType type,
                       const std::vector<std::string>& given = {});

// One path in one type.
using DetectionRun = std::function<void(CaseResult& result, Path path, at::ScalarType type)>;
// Both paths in float32 and float64.
std::vector<CaseResult> detection_in_two_types(const Entry& entry, const Request& request,
                                               const DetectionRun& run);

// Procedural values of kind "images".
at::Tensor procedural_images(const std::string& name, uint64_t seed,
                             const std::vector<int64_t>& shape);

at::Tensor published_map(const at::Tensor& map_BHWC);
at::Tensor own_map(const at::Tensor& map_BCHW);  // contiguous

// "grad.<name>" of parameters with a gradient and "after.<name>" of statistics, names without the
// prefixes; published shapes.
void keep_parameters(Tensors& values, const nn::Parameters& parameters,
                     const std::string& gradient_prefix, const std::string& statistics_prefix);
void keep_weights(Tensors& values, const reference::Weights& weights,
                  const std::string& gradient_prefix, const std::string& statistics_prefix);

}  // namespace fcm::parity
