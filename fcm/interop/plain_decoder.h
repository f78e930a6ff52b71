// From the decoder of one target to that of several.
#pragma once

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// Renames the tensors of a plain decoder (weights, or moments behind "exp_avg." and "exp_avg_sq.")
// as those of the recipe's targets: the first blocks stay shared, the last ones, norm and
// prediction become those of pixels. What the other targets have of their own is in no plain file
// and stays missing. Nothing changes where the recipe has one target, or the tensors are not of a
// plain decoder. Throws Error(kUsage) where the blocks do not come out even, or pixels are no
// target.
void split_plain_decoder(std::vector<formats::TensorView>& tensors, const recipe::Recipe& recipe,
                         const std::string& source);

}  // namespace fcm::interop
