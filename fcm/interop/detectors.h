// What the files of detectors say of them: sizes out of names and shapes, a recipe for those that
// carry none.
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
  Architecture encoder;        // with heads, which the tables of relative positions tell
  bool decomposed = false;     // the form: recipe key detector.form
  int64_t rows = 0, cols = 0;  // of patches; 0: no square, or no table tells it
  int64_t window = 0;          // patches a side; 0: a Swin
  int64_t classes = 0;         // without the background
  int64_t channels = 0;        // of the pyramid
  int64_t box_features = 0;
};

// Of tensors with the names of models::Detector. Throws Error(kCheckpoint), which names `source`,
// for a detector of a network that this program does not have.
DetectorArchitecture detector_architecture(std::span<const formats::TensorView> tensors,
                                           const std::string& source);

bool is_detector(const checkpoint::Checkpoint& checkpoint);

// The recipe of detection that a checkpoint carries, or one for what it is: sizes from the tensors,
// what is left as in the recipes that detectors were published by; `overrides`, as --set takes
// them, on top. Throws Error(kCheckpoint) as above and where the carried recipe is of another task,
// Error(kUsage) where the frame's size cannot be told and is not set.
recipe::Recipe detector_recipe(const checkpoint::Checkpoint& checkpoint,
                               const std::vector<std::string>& overrides);

// What detector_recipe had to assume, a sentence each with the key that changes it; nothing of a
// carried recipe, nor of what is set.
std::vector<std::string> detector_assumptions(const checkpoint::Checkpoint& checkpoint,
                                              const std::vector<std::string>& overrides);

}  // namespace fcm::interop
