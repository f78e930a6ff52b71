// What the ranks of a group have to see alike.
#pragma once

#include <string>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Throws Error(kUsage) in every rank where recipes differ, Error(kData) where data sets do: by size
// or by the names of some images. The message says in what. `data`: as --data names the set.
void refuse_different_ranks(dist::Group& group, const recipe::Recipe& recipe,
                            const std::string& data, const loader::Dataset& dataset);

// Throws Error(kUsage) in every rank where the recipe's batch leaves one of them without an image,
// or with an odd number of them although they are mixed in pairs.
void refuse_uneven_shares(const dist::Group& group, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
