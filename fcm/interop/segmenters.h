// What the files of segmenters say of them: sizes out of names and shapes, a recipe for those that
// carry none.
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
  Architecture encoder;        // with heads, which the tables of relative positions tell
  int64_t rows = 0, cols = 0;  // of patches; 0: they are no square, so only a recipe tells
  int64_t classes = 0;
  int64_t channels = 0;      // of UperNet's maps
  int64_t aux_channels = 0;  // of the second head's; 0: there is none
};

// Of tensors with the names of models::Segmenter (segmenter_names.h). Throws Error(kCheckpoint),
// which names `source`, for a segmenter of a network that this program does not have.
SegmenterArchitecture segmenter_architecture(std::span<const formats::TensorView> tensors,
                                             const std::string& source);

// The recipe of segmentation that a checkpoint carries, or one for what it is: sizes from the
// tensors, what is left as in the recipes that segmenters were published by; `overrides`, as --set
// takes them, on top. Throws Error(kCheckpoint) as above and where the carried recipe is of another
// task, Error(kUsage) where the picture's size cannot be told and is not set.
recipe::Recipe segmenter_recipe(const checkpoint::Checkpoint& checkpoint,
                                const std::vector<std::string>& overrides);

// What segmenter_recipe had to assume, a sentence each with the key that changes it; nothing of a
// carried recipe, nor of what is set.
std::vector<std::string> segmenter_assumptions(const checkpoint::Checkpoint& checkpoint,
                                               const std::vector<std::string>& overrides);

}  // namespace fcm::interop
