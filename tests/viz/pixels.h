// Reads single pixels of images.
#pragma once

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz::test {

inline Colour pixel(const image::Image& image, int64_t row, int64_t col) {
  const auto at = static_cast<size_t>((row * image.cols + col) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

inline int64_t count(const image::Image& image, Colour colour) {
  int64_t pixels = 0;
  for (int64_t row = 0; row < image.rows; ++row) {
    for (int64_t col = 0; col < image.cols; ++col) pixels += pixel(image, row, col) == colour;
  }
  return pixels;
}

}  // namespace fcm::viz::test
