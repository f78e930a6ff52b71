// How much of a query's attention each patch of an image gets. Plain arrays, no tensors.
#pragma once

#include <cstdint>
#include <span>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

// Of 0 to 255 by lightness alone: black, purple, red, orange, pale yellow.
Colour heat_colour(int64_t heat);

// Weights of patches in raster order as squares of heat colours over the image in greys, which
// shows through. The scale ends at the weight that one patch in a hundred exceeds, so that a single
// patch does not make all others black. Sides of the image are multiples of `side`.
image::Image attention_picture(const image::Image& picture, std::span<const float> weights_L,
                               int64_t side);

// A white frame with a black rim around a patch, which marks it on any image.
void mark_patch(image::Image& picture, int64_t row, int64_t col, int64_t side);

}  // namespace fcm::viz
