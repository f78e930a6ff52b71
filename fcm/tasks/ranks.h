// What the ranks of a group have to see alike.
#pragma once

#include <string>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Throws Error(kUsage) in every rank where recipes differ, Error(kData) where data sets do: by size
// or by the names of some pictures. The message says in what. `data`: as --data names the set.
void refuse_different_ranks(dist::Group& group, const recipe::Recipe& recipe,
                            const std::string& data, const loader::Dataset& dataset);

}  // namespace fcm::tasks
