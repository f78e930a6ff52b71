// Cases of the published detectors, by theme: what cases.cpp lists for files of the folder
// "detection".
#pragma once

#include <vector>

#include "tests/parity/cases.h"

namespace fcm::parity {

// Backbones: maps, activations, gradients, drop path; resized positions; names of the base size.
std::vector<CaseResult> detection_backbone_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_position_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_table_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
