// What a recipe may not say.
#pragma once

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Refuses values out of range and combinations that cannot work, each with its keys and values:
// Error(kUsage), one line a fault.
void check(const Recipe& recipe);

// The same of a recipe by which pretraining is done: each view has to hide something. Frozen
// encoders are described by recipes of pretraining whose view is the whole picture.
void check_pretraining(const Recipe& recipe);

}  // namespace fcm::recipe
