// Compares parameters after optimizer steps.
#pragma once

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

// Compares tensors that are stored whole or sampled (.idx and .val). Parameters are called
// "step<k>.<key>" or "model.<key>": for each step, neither their largest nor their mean difference
// over all elements may exceed ten times upstream's difference between float32 and float64. The
// keys' bias is skipped: its gradient is rounding noise, which Adam amplifies. All other names have
// a bound of 1e-5.
void compare_steps(CaseResult& result, const Entry& entry, const Tensors& stored, const Run& run);

}  // namespace fcm::parity
