// Sizes of an image before and after resizing.
#pragma once

#include <cstdint>

namespace fcm::image {

struct Resizing {
  int64_t from_rows, from_cols;
  int64_t to_rows, to_cols;
};

}  // namespace fcm::image
