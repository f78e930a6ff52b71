// Cases of the detection set, file by file; its evaluations and runs of masks are in coco_cases.h.
#pragma once

#include "tests/parity/cases.h"

namespace fcm::parity {

// Boxes and masks: non-maximum suppression, bins cut out of maps, masks pasted into pictures.
std::vector<CaseResult> nms_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_align_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_pooler_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> paste_masks_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> postprocess_file_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
