// Cases of the published detectors, by theme: what cases.cpp lists for files of the folder
// "detection".
#pragma once

#include <vector>

#include "tests/parity/cases.h"

namespace fcm::parity {

// Pictures and annotations in frames, mask targets.
std::vector<CaseResult> detection_data_cases(const Entry& entry, const Request& request);
// Backbones: maps, activations, gradients, drop path; resized positions; names of the base size.
std::vector<CaseResult> detection_backbone_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_position_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_table_cases(const Entry& entry, const Request& request);
// Non-maximum suppression, bins cut out of maps, masks pasted into pictures.
std::vector<CaseResult> nms_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_align_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_pooler_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> paste_masks_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> postprocess_file_cases(const Entry& entry, const Request& request);
// What is done with boxes: anchors, deltas, overlaps, matches, samples, proposals, detections.
std::vector<CaseResult> detection_box_cases(const Entry& entry, const Request& request);
// The pyramid and the region proposal network.
std::vector<CaseResult> detection_map_cases(const Entry& entry, const Request& request);
// The box head, the mask head, and the norm of both over ranks.
std::vector<CaseResult> detection_region_cases(const Entry& entry, const Request& request);
// Whole detectors: a training pass, and what is found.
std::vector<CaseResult> detector_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
