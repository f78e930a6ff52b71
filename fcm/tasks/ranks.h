// Checks that all ranks see the same recipe and data.
#pragma once

#include <string>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Throws in every rank, with the difference: Error(kUsage) if recipes differ, Error(kData) if data
// sets differ in size or in the names of some images. `data`: as --data names the set.
void refuse_different_ranks(dist::Group& group, const recipe::Recipe& recipe,
                            const std::string& data, const loader::Dataset& dataset);

// Throws Error(kUsage) in every rank if the recipe's batch leaves a rank without an image, or with
// an odd number of images although they are mixed in pairs.
void refuse_uneven_shares(const dist::Group& group, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
