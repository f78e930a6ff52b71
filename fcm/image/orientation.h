// EXIF orientation (how the camera was held), and rotating images by it.
#pragma once

#include <cstdint>
#include <span>

#include "fcm/image/image.h"

namespace fcm::image {

// EXIF orientation of a JPEG, 1 (upright) to 8; 1 also if the bytes are not a JPEG or if the value
// is missing or damaged, since the image can be used anyway. Reads only the headers.
int exif_orientation(std::span<const uint8_t> bytes);

// Rotates and mirrors an image of the given EXIF orientation so that it is upright; numbers outside
// 2..8 change nothing.
Image upright(Image image, int orientation);

}  // namespace fcm::image
