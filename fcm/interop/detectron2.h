// Files of detectron2, the format of upstream detectors: torch.save of a dict of model, iteration
// and more (fvcore's Checkpointer). published.h reads the file, detector_names.h has the names.
// Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/value.h"

namespace fcm::interop {

// Sets the checkpoint's step from a file's "iteration", the index of the last finished iteration.
// Does nothing if the file has no such entry.
void take_iteration(const formats::Value& root, checkpoint::Checkpoint& checkpoint);

// The content to write.
struct Detectron2File {
  std::span<const formats::TensorView> model;  // names of models::Detector, any order
  int64_t steps = 0;                           // optimizer steps done
  // Entries that upstream files do not have; empty: not written.
  std::string recipe;  // text
  std::string about;   // JSON text of about.h
};

// Writes a file that detectron2's DetectionCheckpointer loads and torch.load(weights_only=True)
// reads: "model" with upstream names and batch counts as int64, and "iteration"; no optimizer.
// Integer tables that upstream computes from sizes are left out (relative_position_index has 134 MB
// at the upstream size); the checkpointer reports them as missing and keeps the computed ones.
// Throws Error(kCheckpoint) that names `path` if a count is not a whole number.
void write_detectron2(const std::filesystem::path& path, const Detectron2File& content);

}  // namespace fcm::interop
