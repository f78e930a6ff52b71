// What each view saw and what the model made of it, as a sheet of images.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"

namespace fcm::tasks {

// `pictures`: of the recipe's size and channels. Masks are keyed by (seed, place in the list).
// `teachers`: those of the recipe's targets, or nullptr where they are pixels alone.
image::Image reconstruction_sheet(const models::MaskedAutoencoder& model,
                                  const targets::Teachers* teachers, const recipe::Recipe& recipe,
                                  const std::vector<image::Image>& pictures, uint64_t seed,
                                  const std::string& title);

// An image of any size as the network would see it in evaluation: padded, its middle cut out and
// resized.
image::Image fit_to_recipe(const image::Image& picture, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
