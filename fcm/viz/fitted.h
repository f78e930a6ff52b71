// Images and maps brought to the size at which they are shown.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"

namespace fcm::viz {

struct FittedSize {
  int64_t rows = 0, cols = 0;
};

// The size of an image whose longer side is to be about `place` pixels: small ones grow by whole
// factors, so that their pixels stay squares; large ones shrink to the place.
FittedSize fitted_size(int64_t rows, int64_t cols, int64_t place);

// As RGB.
image::Image fitted_picture(const image::Image& picture, const FittedSize& size);

// Of a grey map of classes, which have no order: each pixel takes over the one in its middle.
image::Image fitted_map(const image::Image& map, const FittedSize& size);

}  // namespace fcm::viz
