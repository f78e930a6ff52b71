// A recipe as a list of names and values, to compare it with others.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fcm/recipe/recipe.h"

namespace fcm::recipe {

// "optim.base_lr" and "1.5e-4", as TOML has the value, of every key but those of [row], which say
// what the recipe is called. In the order in which recipes are written.
using Values = std::vector<std::pair<std::string, std::string>>;
Values values_of(Recipe recipe);

}  // namespace fcm::recipe
