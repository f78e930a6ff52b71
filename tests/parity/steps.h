// Compares parameters after optimizer steps.
#pragma once

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

// Compares parameters "step<k>.<key>" or "model.<key>", stored whole or sampled (.idx and .val),
// and all other names whole. For each step, neither the largest nor the mean difference over all
// elements may exceed ten times upstream's difference between float32 and float64. The keys' bias
// is skipped: its gradient is rounding noise, which Adam amplifies.
void compare_steps(CaseResult& result, const Entry& entry, const Tensors& stored, const Run& run);

}  // namespace fcm::parity
