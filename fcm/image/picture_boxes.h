// Boxes from the frame that a network sees back to the picture that was resized and padded into it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace fcm::image {

struct PictureBox {
  int64_t index = 0;           // among the boxes that were given
  std::array<float, 4> box{};  // x0, y0, x1, y1 in pixels of the picture
};

// All coordinates times max(cols / frame_cols, rows / frame_rows), one factor, because a picture is
// padded on one side alone; then moved into the picture of rows x cols. Those without positive
// sides, or with a NaN, are left out, the others keep their order. In float32. Source:
// Alpha-VL/ConvMAE DET/models/modeling/postprocessing.py.
std::vector<PictureBox> boxes_in_picture(std::span<const std::array<float, 4>> frame_boxes,
                                         int64_t frame_rows, int64_t frame_cols, int64_t rows,
                                         int64_t cols);

}  // namespace fcm::image
