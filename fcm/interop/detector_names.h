// Names of a detector's tensors: those of detectron2's Mask R-CNN as ConvMAE's DET folder, MIMDet
// and the official ConvMAE-Det build it, which models::Detector has, too. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr std::string_view kDetectorClasses = "roi_heads.box_predictor.cls_score.weight";
// Where the encoder is: of the forms with shared tables, and of the decomposed one.
inline constexpr std::string_view kDetectorEncoder = "backbone.bottom_up.";
inline constexpr std::string_view kDecomposedEncoder = "backbone.net.";

// Whether tensors are a detector's, with or without wrappers in front of their names.
bool are_of_detector(std::span<const formats::TensorView> tensors);

// Tensors of a detector lose what wrappers put in front of them, and what is computed from sizes is
// left out: relative_position_index, cells of anchors, mean and deviation of pixels. int64 counts
// of batches become float32, in the bytes that are returned. Throws Error(kCheckpoint), which names
// `source`, where two tensors come to one name.
formats::Buffer from_detectron2(std::vector<formats::TensorView>& tensors,
                                const std::string& source);

// Takes out what stands beside a detector's own modules. Returns what it took.
std::vector<formats::TensorView> take_out_beside_detector(
    std::vector<formats::TensorView>& tensors);

// What a detector has and no encoder that it starts from, as patterns for train::LoadRules.
const std::vector<std::string>& detectors_own_tensors();

}  // namespace fcm::interop
