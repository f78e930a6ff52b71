// A part of an enlarged or shrunk picture.
#pragma once

#include "fcm/image/image.h"

namespace fcm::image {

// Resizes the whole picture to rows x cols, as crop_resize, and writes `window` of the result:
// window.rows x window.cols x channels bytes. The rest is never computed, so the size of the
// whole costs neither time nor memory.
void resize_window(const Image& source, int64_t rows, int64_t cols, Box window,
                   Interpolation interpolation, uint8_t* out);

}  // namespace fcm::image
