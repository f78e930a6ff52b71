// Draws a sheet of the visible patches of each view and the model's reconstructions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"
#include "fcm/targets/teachers.h"

namespace fcm::tasks {

// `images`: of the recipe's size and channels. Masks are keyed by (seed, index in `images`).
// `teachers`: those of the recipe's targets; nullptr if only pixels are reconstructed.
image::Image reconstruction_sheet(const models::MaskedAutoencoder& model,
                                  const targets::Teachers* teachers, const recipe::Recipe& recipe,
                                  const std::vector<image::Image>& images, uint64_t seed,
                                  const std::string& title);

// An image of any size, preprocessed as in evaluation: padded, center-cropped and resized.
image::Image fit_to_recipe(const image::Image& image, const recipe::Recipe& recipe);

}  // namespace fcm::tasks
