// Converts a decoder of one target to a decoder of several targets.
#pragma once

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// Renames the tensors of a plain decoder, which has one target (weights, or moments with the
// prefixes "exp_avg." and "exp_avg_sq."), for a recipe with several targets. The first blocks stay
// shared; the last blocks, norm and prediction become those of the target `rgb`. Tensors of the
// other targets are not in such a file and stay missing. Does nothing if the recipe has one target,
// or if the tensors are not a plain decoder's. Throws Error(kUsage) if the number of blocks does
// not fit the recipe, or if `rgb` is not a target.
void split_plain_decoder(std::vector<formats::TensorView>& tensors, const recipe::Recipe& recipe,
                         const std::string& source);

}  // namespace fcm::interop
