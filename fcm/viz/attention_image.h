// Draws the attention of a query to each patch of an image. Plain arrays, no tensors.
#pragma once

#include <cstdint>
#include <span>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

// The colour of a heat from 0 to 255: black, purple, red, orange, pale yellow. Lightness increases
// with heat.
Colour heat_colour(int64_t heat);

// Draws the weights of patches, in raster order, as squares of heat colours blended with the image
// in greys. The scale ends at the 99th percentile of the weights, so that a single patch does not
// make all others black. The image's sides must be multiples of `side`.
image::Image attention_image(const image::Image& image, std::span<const float> weights_L,
                             int64_t side);

// Marks a patch by a white frame with a black rim, visible on any image.
void mark_patch(image::Image& image, int64_t row, int64_t col, int64_t side);

}  // namespace fcm::viz
