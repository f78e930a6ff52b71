// Sizes of a detector from names and shapes of its tensors, and a recipe for files without one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/architecture.h"
#include "fcm/interop/detector_names.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

struct DetectorArchitecture {
  Architecture encoder;        // with heads, from the bias tables
  bool decomposed = false;     // recipe key detector.form
  int64_t rows = 0, cols = 0;  // of patches; 0: unknown (not square, or no table for the grid)
  int64_t window = 0;          // side of a window, in patches; 0 for a Swin
  int64_t classes = 0;         // background excluded
  int64_t channels = 0;        // of the pyramid
  int64_t box_features = 0;
};

// `tensors` must have the names of models::Detector. Throws Error(kCheckpoint) that names `source`
// if models::Detector has no such network.
DetectorArchitecture detector_architecture(std::span<const formats::TensorView> tensors,
                                           const std::string& source);

bool is_detector(const checkpoint::Checkpoint& checkpoint);

// The detection recipe stored in a checkpoint, or one made for it: sizes from the tensors,
// everything else as in upstream's detectors. `overrides` (as in --set) are applied to it. Throws
// Error(kCheckpoint) as detector_architecture and if the stored recipe is of another task.
recipe::Recipe detector_recipe(const checkpoint::Checkpoint& checkpoint,
                               const std::vector<std::string>& overrides);

// The assumptions in detector_recipe, one sentence each with the key that changes it. Empty for a
// stored recipe; keys in `overrides` are skipped.
std::vector<std::string> detector_assumptions(const checkpoint::Checkpoint& checkpoint,
                                              const std::vector<std::string>& overrides);

}  // namespace fcm::interop
