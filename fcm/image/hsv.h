// Converts RGB bytes to hue, saturation, value and back, with the arithmetic of OpenCV's 8-bit
// conversions (hue 0 to 179). HSV to RGB always truncates, as OpenCV's vectorised loop does;
// OpenCV's scalar loop for the last columns of an image rounds instead.
#pragma once

#include <cstdint>

namespace fcm::image {

// Both functions work in place, on uint8 values [pixels, 3].
void hsv_from_rgb(uint8_t* pixels_N3, int64_t pixels);
// Hues must be below 180.
void rgb_from_hsv(uint8_t* pixels_N3, int64_t pixels);

}  // namespace fcm::image
