#include "fcm/image/image_boxes.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::image {

std::vector<ImageBox> boxes_in_image(std::span<const std::array<float, 4>> frame_boxes,
                                     int64_t frame_rows, int64_t frame_cols, int64_t rows,
                                     int64_t cols) {
  require(frame_rows >= 1 && frame_cols >= 1 && rows >= 1 && cols >= 1,
          "boxes_in_image: expected sizes above 0, got a frame of {} x {} and an image of {} x {}",
          frame_rows, frame_cols, rows, cols);
  const auto factor =
      static_cast<float>(std::max(static_cast<double>(cols) / static_cast<double>(frame_cols),
                                  static_cast<double>(rows) / static_cast<double>(frame_rows)));
  std::vector<ImageBox> boxes;
  for (int64_t i = 0; i < std::ssize(frame_boxes); ++i) {
    ImageBox one{i, frame_boxes[static_cast<size_t>(i)]};
    for (size_t side = 0; side < 4; ++side) {
      const auto end = static_cast<float>(side % 2 == 0 ? cols : rows);
      one.box[side] = std::clamp(one.box[side] * factor, 0.F, end);
    }
    if (one.box[2] > one.box[0] && one.box[3] > one.box[1]) boxes.push_back(one);
  }
  return boxes;
}

}  // namespace fcm::image
