// Cases of COCO's evaluation: figures, curves, matches, masks in runs.
#pragma once

#include "tests/parity/cases.h"

namespace fcm::parity {

// Whether the entry is a file of the sets `eval_coco` and `eval_rle`, or one of the evaluations and
// runs of `detection`; their kinds say no more than that they are stored.
bool is_of_coco(const Entry& entry);

std::vector<CaseResult> coco_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
