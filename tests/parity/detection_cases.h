// Cases of the set of detection, by theme.
#pragma once

#include <vector>

#include "tests/parity/cases.h"

namespace fcm::parity {

// What is done with boxes: anchors, deltas, overlaps, matches, samples, proposals, detections.
std::vector<CaseResult> detection_box_cases(const Entry& entry, const Request& request);
// The pyramid and the region proposal network.
std::vector<CaseResult> detection_map_cases(const Entry& entry, const Request& request);
// The box head, the mask head, and the norm of both over ranks.
std::vector<CaseResult> detection_region_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
