// Resizing of uint8 images, bit-identical to OpenCV: INTER_LINEAR (11-bit weights, no antialiasing)
// and INTER_NEAREST. Segmentation trains and evaluates on such images; everything else resizes as
// Pillow (image.h).
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/image/resizing.h"

namespace fcm::image {

// The part of the source that `window` of the bilinear result depends on.
Box linear_source(const Resizing& resizing, const Box& window);

// Computes only `window` of the result: window.rows x window.cols x channels bytes. `shown` is the
// part of `image` that holds the source: either the whole source, or linear_source(resizing,
// window).
void resize_linear(const Resizing& resizing, const Image& image, const Box& shown,
                   const Box& window, uint8_t* out);

// Resizes the whole image.
Image resize_linear(const Image& image, int64_t rows, int64_t cols);

// Writes `window` of the resized map, window.rows x window.cols bytes. `map` is the whole source,
// from_rows x from_cols bytes; along each axis output i is source min(floor(i * from / to), from -
// 1).
void resize_nearest(const Resizing& resizing, const uint8_t* map, const Box& window, uint8_t* out);

}  // namespace fcm::image
