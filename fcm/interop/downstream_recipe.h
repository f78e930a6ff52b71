// Recipe, assumptions and encoder of a segmenter or a detector: dispatches to segmenters.h and
// detectors.h.
#pragma once

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/architecture.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// The weights must be of one of the two (downstream.h).
recipe::Recipe downstream_recipe(const checkpoint::Checkpoint& checkpoint,
                                 const std::vector<std::string>& overrides);
std::vector<std::string> downstream_assumptions(const checkpoint::Checkpoint& checkpoint,
                                                const std::vector<std::string>& overrides);
// Its encoder's architecture, with the number of classes.
Architecture downstream_encoder(const checkpoint::Checkpoint& checkpoint);

}  // namespace fcm::interop
