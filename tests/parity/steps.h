// Parameters after optimizer steps: how they are compared, whoever made the steps.
#pragma once

#include "tests/parity/comparison.h"
#include "tests/parity/fixtures.h"
#include "tests/parity/run.h"

namespace fcm::parity {

// Stored "step<k>.<key>" or "model.<key>" (or .idx and .val of it), "losses", other names whole.
// Over the elements of a step neither the largest nor the mean difference may exceed ten times what
// the published code itself has between float32 and float64; bias of the keys is left out: its
// gradient is rounding, which Adam amplifies.
void compare_steps(CaseResult& result, const Entry& entry, const Tensors& stored, const Run& run);

}  // namespace fcm::parity
