// Channel conversions with the integer formulas of Pillow's convert().
#pragma once

#include <cstdint>

#include "fcm/image/image.h"

namespace fcm::image {

// `rgb` holds 3 bytes per pixel, `grey` one. The ranges must not overlap.
void grey_from_rgb(const uint8_t* rgb, int64_t pixels, uint8_t* grey);
void rgb_from_grey(const uint8_t* grey, int64_t pixels, uint8_t* rgb);

// `cmyk` holds 4 bytes per pixel, inverted as Adobe stores them (255: no ink).
void rgb_from_inverted_cmyk(const uint8_t* cmyk, int64_t pixels, uint8_t* rgb);

// The same image with 1 or 3 channels.
Image with_channels(Image image, int64_t channels);

}  // namespace fcm::image
