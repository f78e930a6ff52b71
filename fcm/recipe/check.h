// Rules that a recipe must satisfy.
#pragma once

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Throws Error(kUsage) for values out of range and combinations that cannot work: one line per
// fault, with its keys and values.
void check(const Recipe& recipe);

// check(), and also requires that views hide patches, as pretraining needs. (A frozen encoder is
// described by a pretraining recipe whose only view is the whole image, which check() accepts.)
void check_pretraining(const Recipe& recipe);

}  // namespace fcm::recipe
