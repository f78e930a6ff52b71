// Writing JPEG.
#pragma once

#include <string>

#include "fcm/image/image.h"

namespace fcm::image {

// A baseline JPEG with colour at half the resolution, as Pillow's save(quality=...) writes it.
// `quality` 1 to 100. Throws Error(kData) for sides above 65,500, which JPEG cannot hold.
std::string encode_jpeg(const Image& picture, int quality);

}  // namespace fcm::image
