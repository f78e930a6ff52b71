// Files of mmsegmentation, in which segmenters are published: torch.save of a dict of meta,
// state_dict and optimizer (mmcv's save_checkpoint). Reading begins in published.h, names are
// segmenter_names.h. Links no LibTorch.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/value.h"

namespace fcm::interop {

// What such a file says of itself, in a checkpoint's state.
inline constexpr const char* kMetaKey = "meta";

// Of a file's "meta": all of it as plain data under kMetaKey, "iter" as the checkpoint's step, and
// "CLASSES" and "PALETTE" as the classes of "trained_on" (without blanks around them) and their
// colours, where the state does not name them. Nothing where there is no such dict, or it is of
// another kind.
void take_meta(const formats::Value& root, checkpoint::Checkpoint& checkpoint);

// What is written.
struct MmsegFile {
  std::span<const formats::TensorView> model;   // names of models::Segmenter, any order
  int64_t rows = 0, cols = 0;                   // of patches, that it is trained for
  std::vector<std::string> classes;             // a name for each
  std::vector<std::array<uint8_t, 3>> palette;  // a colour for each, RGB
  int64_t iterations = 0;
  int64_t epoch = 1;    // that is being trained, from 1, as mmcv counts
  nlohmann::json meta;  // of the file that the checkpoint was read from; null: made of the above
  std::string name;     // of the recipe
  std::string recipe;   // its text, also beside what is published; empty: not known
  std::string about;    // likewise: about.h
};

// Writes what mmsegmentation's load_checkpoint accepts and torch.load(weights_only=True) reads: the
// state_dict in published order and names, with the int64 buffers that are computed
// (relative_position_index) and counted (num_batches_tracked); no optimizer. Throws
// Error(kCheckpoint), which names `path`: tables of relative positions are of another grid, a count
// of batches is no whole number.
void write_mmseg(const std::filesystem::path& path, const MmsegFile& content);

}  // namespace fcm::interop
