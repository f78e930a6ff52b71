// A recipe as a list of names and values, for comparisons.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// Pairs such as "optim.base_lr" and "0.00015" (the value as TOML), in the order of the recipe.
// [row] is left out, since it only names and describes the recipe.
using Values = std::vector<std::pair<std::string, std::string>>;
Values values_of(Recipe recipe);

}  // namespace fcm::recipe
