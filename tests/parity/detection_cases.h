// Cases of detection, by theme: one line in cases_of_detection_files (cases.cpp) for each file.
#pragma once

#include "tests/parity/cases.h"

namespace fcm::parity {

// Pictures and annotations in frames, mask targets (detection_data_cases.cpp).
std::vector<CaseResult> detection_data_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
