// Reads single pixels of images.
#pragma once

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz::test {

inline Colour pixel(const image::Image& picture, int64_t row, int64_t col) {
  const auto at = static_cast<size_t>((row * picture.cols + col) * 3);
  return {picture.pixels[at], picture.pixels[at + 1], picture.pixels[at + 2]};
}

inline int64_t count(const image::Image& picture, Colour colour) {
  int64_t pixels = 0;
  for (int64_t row = 0; row < picture.rows; ++row) {
    for (int64_t col = 0; col < picture.cols; ++col) pixels += pixel(picture, row, col) == colour;
  }
  return pixels;
}

}  // namespace fcm::viz::test
