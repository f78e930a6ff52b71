// Cases of the set "detection", by topic; cases.cpp maps each of its files to one of them.
#pragma once

#include <vector>

#include "tests/parity/cases.h"

namespace fcm::parity {

// Images and annotations in frames, mask targets.
std::vector<CaseResult> detection_data_cases(const Entry& entry, const Request& request);
// Backbones: maps, activations, gradients, drop path; resized positions; names of the base size.
std::vector<CaseResult> detection_backbone_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_position_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> detection_table_cases(const Entry& entry, const Request& request);
// Non-maximum suppression, RoIAlign, pasted masks.
std::vector<CaseResult> nms_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_align_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> roi_pooler_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> paste_masks_file_cases(const Entry& entry, const Request& request);
std::vector<CaseResult> postprocess_file_cases(const Entry& entry, const Request& request);
// Operations on boxes: anchors, deltas, overlaps, matches, samples, proposals, detections.
std::vector<CaseResult> detection_box_cases(const Entry& entry, const Request& request);
// The pyramid and the region proposal network.
std::vector<CaseResult> detection_map_cases(const Entry& entry, const Request& request);
// The box head, the mask head, and their batch norm over ranks.
std::vector<CaseResult> detection_region_cases(const Entry& entry, const Request& request);
// Whole detectors: a training pass, and detections.
std::vector<CaseResult> detector_cases(const Entry& entry, const Request& request);

}  // namespace fcm::parity
