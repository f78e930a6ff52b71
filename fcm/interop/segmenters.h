// Sizes of a segmenter from names and shapes of its tensors, and a recipe for files without one.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/architecture.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

struct SegmenterArchitecture {
  Architecture encoder;        // with heads, from the bias tables
  int64_t rows = 0, cols = 0;  // of patches; 0: unknown (not square, or not the bias table's grid)
  int64_t classes = 0;
  int64_t channels = 0;      // of UperNet's maps
  int64_t aux_channels = 0;  // of the auxiliary head; 0: none
};

// `tensors` must have the names of models::Segmenter (segmenter_names.h). Throws Error(kCheckpoint)
// that names `source` if models::Segmenter has no such network.
SegmenterArchitecture segmenter_architecture(std::span<const formats::TensorView> tensors,
                                             const std::string& source);

// The segmentation recipe stored in a checkpoint, or one made for it: sizes from the tensors,
// everything else as in upstream's segmenters. `overrides` (as in --set) are applied to it. Throws
// Error(kCheckpoint) as segmenter_architecture and if the stored recipe is of another task,
// Error(kUsage) if the image size is neither known nor set.
recipe::Recipe segmenter_recipe(const checkpoint::Checkpoint& checkpoint,
                                const std::vector<std::string>& overrides);

// The assumptions in segmenter_recipe, one sentence each with the key that changes it. Empty for a
// stored recipe; keys in `overrides` are skipped.
std::vector<std::string> segmenter_assumptions(const checkpoint::Checkpoint& checkpoint,
                                               const std::vector<std::string>& overrides);

}  // namespace fcm::interop
