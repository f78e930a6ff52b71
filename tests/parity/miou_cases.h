// Cases of segmentation maps: counts, means, sliding windows.
#pragma once

#include "tests/parity/cases.h"

namespace fcm::parity {

// Whether the entry is a file of the sets `eval_miou` and `eval_slide`, or a file of metrics or
// windows in `segmentation`. File names decide: the kinds of these entries say only that they are
// stored results.
bool is_segmentation_map_entry(const Entry& entry);

std::vector<CaseResult> miou_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
