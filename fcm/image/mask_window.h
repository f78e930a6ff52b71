// A window of a resized mask, placed on a canvas.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/image/run_lengths.h"

namespace fcm::image {

struct MaskWindow {
  int64_t to_rows = 0, to_cols = 0;          // size of the whole resized mask
  Box window;                                // part of it, placed at the canvas's top left
  int64_t canvas_rows = 0, canvas_cols = 0;  // at least the window's
  bool mirror = false;                       // mirror the canvas
};

// Resizes to the nearest neighbour, as Pillow's resize(NEAREST) does; canvas pixels outside the
// window are 0. Works on runs, so the cost depends on the number of runs and on the columns of the
// window, and not on the number of pixels.
RunLengths resize_mask(const RunLengths& mask, const MaskWindow& view);

}  // namespace fcm::image
