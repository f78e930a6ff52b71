// Checks that all ranks see the same recipe and data.
#pragma once

#include <string>

#include "fcm/dist/group.h"
#include "fcm/loader/dataset.h"
#include "fcm/recipe/recipe.h"

namespace fcm::tasks {

// Throws an error that states the difference, in every rank: Error(kUsage) if the recipes of ranks
// differ, Error(kData) if their data sets differ in size or in the names of some sampled images.
// `data`: the set as --data names it.
void refuse_different_ranks(dist::Group& group, const recipe::Recipe& recipe,
                            const std::string& data, const loader::Dataset& dataset);

// Throws Error(kUsage) in every rank if the recipe's batch leaves a rank without an image, or with
// an odd number of images although mixup or cutmix combine images in pairs.
void refuse_uneven_shares(const dist::Group& group, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
