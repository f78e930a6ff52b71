// Names of a segmenter's tensors: this program's, and those in files of mmsegmentation. The ConvViT
// of ConvMAE's SEG folder (mmsegmentation 0.11) has the same ones in both; the ViT of
// mmsegmentation 0.30 (mae.py) calls its blocks otherwise. Links no LibTorch.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/formats/buffer.h"
#include "fcm/formats/tensor_file.h"

namespace fcm::interop {

inline constexpr std::string_view kSegmenterClasses = "decode_head.conv_seg.weight";
inline constexpr std::string_view kSegmenterEncoder = "backbone.";

// Whether tensors are a segmenter's, with or without wrappers in front of their names.
bool are_of_segmenter(std::span<const formats::TensorView> tensors);

// Tensors of a segmenter, with any wrappers in front, get the names that models::Segmenter gives
// them. What the grid decides (relative_position_index) is left out; int64 counts of batches become
// float32, as all values of a model here have one floating type, in the bytes that are returned.
// Throws Error(kCheckpoint), which names `source`, where two tensors come to one name.
formats::Buffer from_mmseg(std::vector<formats::TensorView>& tensors, const std::string& source);

// Takes out what stands in front of or beside a segmenter's own modules: moving averages of a hook,
// losses. Returns what it took.
std::vector<formats::TensorView> take_out_beside_segmenter(
    std::vector<formats::TensorView>& tensors);

// The name in mmsegmentation of a tensor that models::Segmenter calls `name`.
std::string mmseg_name(std::string_view name);

}  // namespace fcm::interop
