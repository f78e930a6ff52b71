// Compares one file of stored tensors with one run: maps each stored name to a computed tensor.
#pragma once

#include <functional>
#include <string>

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

enum class Quantity { kActivation, kGradient, kLoss };

// Returns the tolerance for the computed tensor named `tensor`, relative to the tensor's largest
// value; for a loss, relative to the loss.
using Tolerance = std::function<double(const std::string& tensor, Quantity quantity)>;

// 10 times the difference between float32 and float64 in the upstream code, from
// the manifest; 1e-6 for losses.
Tolerance float32_tolerance(const Entry& entry);

// For a float64 run compared with tensors stored from float32: 1.5 times the stored difference of
// the tensor (or, without one, of the file), because differences are stored with few digits, plus
// 2^-24; 1e-6 for losses.
Tolerance float64_tolerance(const Entry& entry);

// The stored tensors to compare: those of the upstream float32 run, or those of its float64 run,
// whose names begin with "f64.".
enum class Stored { kFloat32, kFloat64 };

// Compares every stored tensor of that origin with the run. An unknown stored name, or one without
// a computed tensor, is a fault: no tensor is skipped silently.
void compare_with_stored(CaseResult& result, const Entry& entry, const Tensors& stored,
                         const Run& run, Stored origin, const Tolerance& tolerance);

// If `name` is an attn.qkv.bias, sets the bias of the keys (its middle third) to zero. Softmax does
// not depend on it, so its gradients are rounding noise.
at::Tensor without_key_bias(const std::string& name, const at::Tensor& value);

}  // namespace fcm::parity
