// Files of detectron2, in which detectors are published: torch.save of a dict of model, iteration
// and more (fvcore's Checkpointer). Reading begins in published.h, names are detector_names.h.
// Links no LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/value.h"

namespace fcm::interop {

// Of a file's "iteration", the last that was done from 0 on, as the checkpoint's step. Nothing
// where there is none.
void take_iteration(const formats::Value& root, checkpoint::Checkpoint& checkpoint);

// What is written.
struct Detectron2File {
  std::span<const formats::TensorView> model;  // names of models::Detector, any order
  int64_t steps = 0;                           // updates that were done
  std::string recipe;  // its text, beside what is published; empty: not known
  std::string about;   // likewise: about.h
};

// Writes what detectron2's DetectionCheckpointer loads and torch.load(weights_only=True) reads:
// "model" in published names, counts of batches as int64, "iteration". Tables of integers that the
// programs compute from sizes (relative_position_index, 134 MB at the published size) are left out;
// the checkpointer says that they are missing and keeps its own. No optimizer. Throws
// Error(kCheckpoint), which names `path`, where a count is no whole number.
void write_detectron2(const std::filesystem::path& path, const Detectron2File& content);

}  // namespace fcm::interop
