// Compares a path's results with a file of the detection set, within the bounds of its README.
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

// Compares every stored tensor with the computed one of its name, except those whose names begin
// with one of `given` (the case's inputs): integers exactly, boxes to a thousandth of a pixel,
// gradients in float64 to 1e-5 of the tensor's largest value and in float32 to 1e-4 of its norm,
// the rest by the file's own error. A stored tensor without a computed one is a fault.
void compare_detection(CaseResult& result, const Entry& entry, const Tensors& stored,
                       const Tensors& got, at::ScalarType type,
                       const std::vector<std::string>& given = {});

// One path in one dtype.
using DetectionRun = std::function<void(CaseResult& result, Path path, at::ScalarType type)>;
// Both paths in float32 and float64.
std::vector<CaseResult> detection_in_two_types(const Entry& entry, const Request& request,
                                               const DetectionRun& run);

// Procedural values of kind "images".
at::Tensor procedural_images(const std::string& name, uint64_t seed,
                             const std::vector<int64_t>& shape);

at::Tensor published_map(const at::Tensor& map_BHWC);
at::Tensor own_map(const at::Tensor& map_BCHW);  // contiguous

// Keeps "grad.<name>" for parameters with a gradient and "after.<name>" for running statistics,
// without the prefixes, in upstream shapes.
void keep_parameters(Tensors& values, const nn::Parameters& parameters,
                     const std::string& gradient_prefix, const std::string& statistics_prefix);
void keep_weights(Tensors& values, const reference::Weights& weights,
                  const std::string& gradient_prefix, const std::string& statistics_prefix);

}  // namespace fcm::parity
