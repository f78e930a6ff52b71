// Files of mmsegmentation, the format of upstream segmenters: torch.save of a dict of meta,
// state_dict and optimizer (mmcv's save_checkpoint). published.h reads the file, segmenter_names.h
// has the names. Links no LibTorch.
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

// The key of such a file's metadata in a checkpoint's state.
inline constexpr const char* kMetaKey = "meta";

// Reads a file's dict "meta"; does nothing if there is none. Stores all of it as plain data under
// kMetaKey and takes "iter" as the checkpoint's step. "CLASSES" (without surrounding blanks) and
// "PALETTE" become classes and colours of "trained_on", unless the state has that member already.
void read_meta(const formats::Value& root, checkpoint::Checkpoint& checkpoint);

// The content to write.
struct MmsegFile {
  std::span<const formats::TensorView> model;   // names of models::Segmenter, any order
  int64_t rows = 0, cols = 0;                   // of patches of the training images
  std::vector<std::string> classes;             // one name per class
  std::vector<std::array<uint8_t, 3>> palette;  // one colour per class, RGB
  int64_t iterations = 0;
  int64_t epoch = 1;    // epoch in progress, from 1, as mmcv counts
  nlohmann::json meta;  // "meta" of the file that was read; null: built from the other members
  std::string name;     // of the recipe
  // Entries that upstream files do not have; empty: not written.
  std::string recipe;  // text
  std::string about;   // JSON text of about.h
};

// Writes a file that mmsegmentation's load_checkpoint accepts and torch.load(weights_only=True)
// reads: the state_dict with upstream's order and names, with the int64 buffers
// relative_position_index and num_batches_tracked; no optimizer. Throws Error(kCheckpoint) that
// names `path` if bias tables belong to another grid, or if a batch count is not a whole number.
void write_mmseg(const std::filesystem::path& path, const MmsegFile& content);

}  // namespace fcm::interop
