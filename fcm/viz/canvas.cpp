#include "fcm/viz/canvas.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::viz {

image::Image blank(int64_t rows, int64_t cols, Colour colour) {
  image::Image image{rows, cols, 3, {}};
  image.pixels.resize(static_cast<size_t>(rows * cols * 3));
  for (size_t at = 0; at < image.pixels.size(); ++at) image.pixels[at] = colour[at % 3];
  return image;
}

void fill_box(image::Image& image, const image::Box& box, Colour colour) {
  const int64_t bottom = std::min(box.top + box.rows, image.rows);
  const int64_t right = std::min(box.left + box.cols, image.cols);
  for (int64_t row = std::max<int64_t>(box.top, 0); row < bottom; ++row) {
    for (int64_t col = std::max<int64_t>(box.left, 0); col < right; ++col) {
      std::copy(colour.begin(), colour.end(), image.pixels.begin() + (row * image.cols + col) * 3);
    }
  }
}

void paste(image::Image& image, const image::Image& tile, int64_t top, int64_t left) {
  require(
      top >= 0 && left >= 0 && top + tile.rows <= image.rows && left + tile.cols <= image.cols &&
          tile.channels == 3,
      "expected an RGB tile within the image, got {} x {} x {} at row {} and column {} of {} x {}",
      tile.rows, tile.cols, tile.channels, top, left, image.rows, image.cols);
  for (int64_t row = 0; row < tile.rows; ++row) {
    std::copy_n(tile.pixels.begin() + row * tile.cols * 3, tile.cols * 3,
                image.pixels.begin() + ((top + row) * image.cols + left) * 3);
  }
}

image::Image enlarge(const image::Image& image, int64_t factor) {
  require(image.channels == 1 || image.channels == 3,
          "expected an image of 1 or 3 channels, got {}", image.channels);
  require(static_cast<int64_t>(image.pixels.size()) == image.rows * image.cols * image.channels,
          "expected one byte per value of an image of {} x {} x {}, got {} bytes", image.rows,
          image.cols, image.channels, image.pixels.size());
  require(factor >= 1, "expected a factor of at least 1 for enlarging, got {}", factor);
  image::Image large{image.rows * factor, image.cols * factor, 3, {}};
  large.pixels.resize(static_cast<size_t>(large.rows * large.cols * 3));
  auto out = large.pixels.begin();
  for (int64_t row = 0; row < large.rows; ++row) {
    for (int64_t col = 0; col < large.cols; ++col) {
      const auto in =
          image.pixels.begin() + (row / factor * image.cols + col / factor) * image.channels;
      for (int64_t channel = 0; channel < 3; ++channel) {
        *out++ = in[image.channels == 3 ? channel : 0];
      }
    }
  }
  return large;
}

}  // namespace fcm::viz
