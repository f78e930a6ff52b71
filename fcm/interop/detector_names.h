// Names of a detector's tensors: those of detectron2's Mask R-CNN as built by ConvMAE's DET folder,
// MIMDet and Official-ConvMAE-Det. models::Detector uses the same names. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr std::string_view kDetectorClasses = "roi_heads.box_predictor.cls_score.weight";
// Prefixes of the encoder's names: kDecomposedEncoder in the decomposed form, else
// kDetectorEncoder.
inline constexpr std::string_view kDetectorEncoder = "backbone.bottom_up.";
inline constexpr std::string_view kDecomposedEncoder = "backbone.net.";

// Whether tensors are a detector's, with or without wrapper prefixes.
bool are_of_detector(std::span<const formats::TensorView> tensors);

// Removes wrapper prefixes from a detector's tensors. Drops tensors that are not weights:
// relative_position_index, cells of anchors, mean and std of pixels. Converts int64 batch counts to
// float32, in the returned buffer. Throws Error(kCheckpoint) that names `source` if two tensors get
// the same name.
formats::Buffer from_detectron2(std::vector<formats::TensorView>& tensors,
                                const std::string& source);

// Removes tensors outside of a detector's own modules, and returns them.
std::vector<formats::TensorView> take_out_beside_detector(
    std::vector<formats::TensorView>& tensors);

// Tensors that a detector has and its pretrained encoder lacks, as patterns for train::LoadRules.
const std::vector<std::string>& detectors_own_tensors();

}  // namespace fcm::interop
