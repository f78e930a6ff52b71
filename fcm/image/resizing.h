// Sizes before and after.
#pragma once

#include <cstdint>

namespace fcm::image {

// A whole picture of one size becomes one of another size.
struct Resizing {
  int64_t from_rows, from_cols;
  int64_t to_rows, to_cols;
};

}  // namespace fcm::image
