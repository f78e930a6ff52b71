// Images and maps resized for display.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"

namespace fcm::viz {

struct FittedSize {
  int64_t rows = 0, cols = 0;
};

// The display size of an image whose longer side should have about `place` pixels. Small images
// grow by an integer factor, so that their pixels stay squares; large images shrink to `place`.
FittedSize fitted_size(int64_t rows, int64_t cols, int64_t place);

// The image resized to a size of fitted_size, as RGB.
image::Image fitted_image(const image::Image& image, const FittedSize& size);

// Resizes a grey class map by nearest neighbour, since classes have no order.
image::Image fitted_map(const image::Image& map, const FittedSize& size);

}  // namespace fcm::viz
