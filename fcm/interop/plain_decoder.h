// Converts the decoder of one target to that of several.
#pragma once

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// Renames the tensors of a plain decoder (weights, or moments with the prefixes "exp_avg." and
// "exp_avg_sq.") for a recipe with several targets: the first blocks stay shared; the last ones,
// norm and prediction become those of pixels. Tensors of the other targets are in no plain file and
// stay missing. Does nothing if the recipe has one target, or if the tensors are not of a plain
// decoder. Throws Error(kUsage) if the number of blocks does not fit, or if pixels are not a
// target.
void split_plain_decoder(std::vector<formats::TensorView>& tensors, const recipe::Recipe& recipe,
                         const std::string& source);

}  // namespace fcm::interop
