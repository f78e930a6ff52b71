// Resizing as OpenCV does it with bytes, to the bit: INTER_LINEAR (11-bit weights, no
// antialiasing) and INTER_NEAREST. Segmentation is trained and tested on such pictures; everything
// else here resizes as Pillow does (image.h).
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/image/resizing.h"

namespace fcm::image {

// What of the picture `window` of the result is computed from, bilinear.
Box linear_source(const Resizing& resizing, const Box& window);

// Writes `window` of the result, window.rows x window.cols x channels bytes; the rest is never
// computed. `shown` says where in `picture` the source lies: the whole of it, or linear_source.
void resize_linear(const Resizing& resizing, const Image& picture, const Box& shown,
                   const Box& window, uint8_t* out);

// The whole picture.
Image resize_linear(const Image& picture, int64_t rows, int64_t cols);

// Writes `window` of the resized map, window.rows x window.cols bytes. `map` is the whole one,
// from_rows x from_cols bytes: result (y, x) is the map's min(floor(y * from / to), from - 1).
void resize_nearest(const Resizing& resizing, const uint8_t* map, const Box& window, uint8_t* out);

}  // namespace fcm::image
