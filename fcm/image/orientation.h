// How a camera was held: EXIF's orientation of a JPEG, and turning pictures by it.
#pragma once

#include <cstdint>
#include <span>

#include "fcm/image/image.h"

namespace fcm::image {

// EXIF's number for how the first row and column lie: 1 (upright) to 8. 1 where the bytes are no
// JPEG, have none, or have one that is damaged: a picture is shown all the same. Reads no further
// than the headers.
int exif_orientation(std::span<const uint8_t> bytes);

// Turned and mirrored so that a picture of that orientation is upright; of another number as it is.
Image upright(Image picture, int orientation);

}  // namespace fcm::image
