// A part of an enlarged or shrunk picture.
#pragma once

#include "fcm/image/image.h"
#include "fcm/image/resizing.h"

namespace fcm::image {

// Resizes the whole picture to rows x cols, as crop_resize, and writes `window` of the result:
// window.rows x window.cols x channels bytes. The rest is never computed, so the size of the
// whole costs neither time nor memory.
void resize_window(const Image& source, int64_t rows, int64_t cols, Box window,
                   Interpolation interpolation, uint8_t* out);

// What of the picture `window` of the result is computed from.
Box window_source(const Resizing& resizing, const Box& window, Interpolation interpolation);

// The same bytes where no more of the picture is at hand than window_source: `section.box` says
// where in `section.picture` it lies.
void resize_window(const Resizing& resizing, const Section& section, const Box& window,
                   Interpolation interpolation, uint8_t* out);

}  // namespace fcm::image
