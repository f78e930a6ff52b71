// One file of stored tensors against one run: which stored name says what of which computed tensor.
#pragma once

#include <functional>
#include <string>

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

enum class Quantity { kActivation, kGradient, kLoss };

// The share of a tensor's largest value that its numbers may be off (of the number itself for
// losses). `tensor` is the computed one's name.
using Tolerance = std::function<double(const std::string& tensor, Quantity quantity)>;

// 10 times the error that the published code itself has in float32 against float64, as the manifest
// says it; 1e-6 for losses.
Tolerance float32_tolerance(const Entry& entry);

// A run in float64 against tensors stored from float32: that error itself, of each tensor, and half
// of it again because it is stored with few digits.
Tolerance float64_tolerance(const Entry& entry);

// Which stored tensors a run answers: those of the published float32 run, or those whose names
// begin with "f64.", from its float64 run.
enum class Stored { kFloat32, kFloat64 };

// Compares every stored tensor of that origin with the run. A stored name that nothing here
// understands, or of which nothing was computed, is a fault: no tensor passes unseen.
void compare_with_stored(CaseResult& result, const Entry& entry, const Tensors& stored,
                         const Run& run, Stored origin, const Tolerance& tolerance);

// The middle third of attn.qkv.bias set to zero: softmax does not depend on the bias of the keys,
// so what is there is rounding.
at::Tensor without_key_bias(const std::string& name, const at::Tensor& value);

}  // namespace fcm::parity
