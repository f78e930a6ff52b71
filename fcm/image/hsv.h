// Bytes of RGB into hue, saturation and value and back, with the arithmetic of OpenCV's 8-bit
// conversions (hue 0 to 179). The way back truncates everywhere, as OpenCV's vector loop does; what
// OpenCV computes beside that loop, in the last columns of a picture, it rounds.
#pragma once

#include <cstdint>

namespace fcm::image {

// In place on `pixels` times three bytes.
void hsv_from_rgb(uint8_t* pixels_N3, int64_t pixels);
// Hues must be below 180.
void rgb_from_hsv(uint8_t* pixels_N3, int64_t pixels);

}  // namespace fcm::image
