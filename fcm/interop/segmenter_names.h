// Names of a segmenter's tensors: this program's, and those in files of mmsegmentation. The ConvViT
// of ConvMAE's SEG folder (mmsegmentation 0.11) has the same names in both; the ViT of
// mmsegmentation 0.30 (mae.py) has other names for its patch embedding and blocks. Links no
// LibTorch.
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

// Whether tensors are a segmenter's, with or without wrapper prefixes.
bool are_of_segmenter(std::span<const formats::TensorView> tensors);

// Renames a segmenter's tensors, with any wrapper prefixes, to the names of models::Segmenter.
// Drops relative_position_index, which the grid determines. Converts int64 batch counts to float32
// (counts_as_floats in batch_counts.h) in the returned buffer. Throws Error(kCheckpoint) that names
// `source` if two tensors get the same name.
formats::Buffer from_mmseg(std::vector<formats::TensorView>& tensors, const std::string& source);

// Removes tensors outside of a segmenter's own modules (such as averages of mmcv's EMAHook,
// losses), and returns them.
std::vector<formats::TensorView> take_out_beside_segmenter(
    std::vector<formats::TensorView>& tensors);

// mmsegmentation's name of the tensor that models::Segmenter calls `name`.
std::string mmseg_name(std::string_view name);

}  // namespace fcm::interop
