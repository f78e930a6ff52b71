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

// Compares every stored tensor with the computed one of the same name, except the case's inputs,
// whose names begin with one of `given`. Bounds: integers are equal; boxes 0.001 pixel; gradients
// 1e-5 of the largest value in float64 and 1e-4 of the norm in float32; others 1e-5 or, if it is
// larger, ten times upstream's float32 error over the file. In float64 the bound of golden.h
// replaces it if the entry has an errors file. A stored tensor without a computed one is a fault.
void compare_detection(CaseResult& result, const Entry& entry, const Tensors& stored,
                       const Tensors& got, at::ScalarType type,
                       const std::vector<std::string>& given = {});

// Runs one path in one dtype and compares its results.
using DetectionRun = std::function<void(CaseResult& result, Path path, at::ScalarType type)>;
// The four cases of `run`: each path in float32 and in float64.
std::vector<CaseResult> detection_in_two_types(const Entry& entry, const Request& request,
                                               const DetectionRun& run);

// Procedural values in the range of images.
at::Tensor procedural_images(const std::string& name, uint64_t seed,
                             const std::vector<int64_t>& shape);

at::Tensor published_map(const at::Tensor& map_BHWC);
at::Tensor own_map(const at::Tensor& map_BCHW);  // contiguous

// Adds "grad.<name>" for parameters with a gradient and "after.<name>" for running statistics to
// `values`, in upstream shapes. <name> is the parameter's name without the prefix.
void keep_parameters(Tensors& values, const nn::Parameters& parameters,
                     const std::string& gradient_prefix, const std::string& statistics_prefix);
void keep_weights(Tensors& values, const reference::Weights& weights,
                  const std::string& gradient_prefix, const std::string& statistics_prefix);

}  // namespace fcm::parity
