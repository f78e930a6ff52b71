// Encodes JPEG files.
#pragma once

#include <string>

#include "fcm/image/image.h"

namespace fcm::image {

// A baseline JPEG with colour at half the resolution (4:2:0), as Pillow's save(quality=...).
// `quality` 1 to 100. Throws Error(kData) for sides above 65,500, the format's limit.
std::string encode_jpeg(const Image& image, int quality);

}  // namespace fcm::image
