// Rules that a recipe must satisfy.
#pragma once

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Throws Error(kUsage) for values out of range and for combinations that cannot work. The message
// has one line per fault, with keys and values.
void check(const Recipe& recipe);

// check(), and also requires that views hide patches, as pretraining needs. check() alone accepts a
// pretraining recipe whose only view is the whole image, because such a recipe describes a frozen
// encoder.
void check_pretraining(const Recipe& recipe);

}  // namespace fcm::recipe
