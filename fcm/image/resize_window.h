// Computes a window of a resized image.
#pragma once

#include "fcm/image/image.h"
#include "fcm/image/resizing.h"

namespace fcm::image {

// Writes `window` of the whole image resized to rows x cols (as by crop_resize): window.rows x
// window.cols x channels bytes. The rest is never computed, so time and memory do not depend on
// rows and cols.
void resize_window(const Image& source, int64_t rows, int64_t cols, Box window,
                   Interpolation interpolation, uint8_t* out);

// The part of the source image that `window` of the result depends on.
Box window_source(const Resizing& resizing, const Box& window, Interpolation interpolation);

// Writes the same bytes as the first function, from a part of the source: `section.image` contains
// window_source at `section.box`.
void resize_window(const Resizing& resizing, const Section& section, const Box& window,
                   Interpolation interpolation, uint8_t* out);

}  // namespace fcm::image
