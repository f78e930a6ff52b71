// Sizes before and after resizing.
#pragma once

#include <cstdint>

namespace fcm::image {

// Resizing of a whole image.
struct Resizing {
  int64_t from_rows, from_cols;
  int64_t to_rows, to_cols;
};

}  // namespace fcm::image
