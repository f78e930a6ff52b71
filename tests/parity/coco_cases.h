// Cases of COCO evaluation: figures, curves, matches, run-length masks.
#pragma once

#include "tests/parity/cases.h"

namespace fcm::parity {

// Whether the entry is a file of the sets `eval_coco` and `eval_rle`, or an evaluation or
// run-length file of `detection`. File names decide: the kinds of these entries say only that they
// are stored results.
bool is_of_coco(const Entry& entry);

std::vector<CaseResult> coco_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
