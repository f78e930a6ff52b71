// A part of an enlarged or shrunk mask, on a canvas of its own.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/image/run_lengths.h"

namespace fcm::image {

struct MaskWindow {
  int64_t to_rows = 0, to_cols = 0;          // of the whole mask, resized
  Box window;                                // of it, into the canvas's upper left
  int64_t canvas_rows = 0, canvas_cols = 0;  // at least those of the window
  bool mirror = false;                       // of the canvas
};

// The nearest pixels, as Pillow's resize(NEAREST) takes them; what of the canvas the window does
// not cover is 0. Works on runs: the mask's size costs nothing, its columns in the window do.
RunLengths resize_mask(const RunLengths& mask, const MaskWindow& view);

}  // namespace fcm::image
