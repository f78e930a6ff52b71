// Recipe, assumptions and encoder of a segmenter or a detector: calls segmenters.h or detectors.h.
#pragma once

#include <string>
#include <vector>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/interop/architecture.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// The weights must be a segmenter's or a detector's (downstream.h).
recipe::Recipe downstream_recipe(const checkpoint::Checkpoint& checkpoint,
                                 const std::vector<std::string>& overrides);
std::vector<std::string> downstream_assumptions(const checkpoint::Checkpoint& checkpoint,
                                                const std::vector<std::string>& overrides);
// The architecture of the model's encoder, with the number of classes.
Architecture downstream_encoder(const checkpoint::Checkpoint& checkpoint);

}  // namespace fcm::interop
