// Maps boxes from the frame that a network sees back to the image that was resized and padded into
// it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fcm::image {

struct ImageBox {
  int64_t index = 0;           // index into the input boxes
  std::array<float, 4> box{};  // x0, y0, x1, y1 in pixels of the image
};

// Multiplies all coordinates by max(cols / frame_cols, rows / frame_rows) (a single factor, because
// only one side is padded) and clamps them to the rows x cols image, in float32. Boxes without
// positive sides, or with a NaN, are dropped; the others keep their order. Source: Alpha-VL/ConvMAE
// DET/models/modeling/postprocessing.py.
std::vector<ImageBox> boxes_in_image(std::span<const std::array<float, 4>> frame_boxes,
                                     int64_t frame_rows, int64_t frame_cols, int64_t rows,
                                     int64_t cols);

}  // namespace fcm::image
