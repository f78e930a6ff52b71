#include "fcm/viz/canvas.h"

#include <algorithm>

#include "fcm/base/error.h"

namespace fcm::viz {

image::Image blank(int64_t rows, int64_t cols, Colour colour) {
  image::Image picture{rows, cols, 3, {}};
  picture.pixels.resize(static_cast<size_t>(rows * cols * 3));
  for (size_t at = 0; at < picture.pixels.size(); ++at) picture.pixels[at] = colour[at % 3];
  return picture;
}

void fill_box(image::Image& picture, const image::Box& box, Colour colour) {
  const int64_t bottom = std::min(box.top + box.rows, picture.rows);
  const int64_t right = std::min(box.left + box.cols, picture.cols);
  for (int64_t row = std::max<int64_t>(box.top, 0); row < bottom; ++row) {
    for (int64_t col = std::max<int64_t>(box.left, 0); col < right; ++col) {
      std::copy(colour.begin(), colour.end(),
                picture.pixels.begin() + (row * picture.cols + col) * 3);
    }
  }
}

void paste(image::Image& picture, const image::Image& tile, int64_t top, int64_t left) {
  require(
      top >= 0 && left >= 0 && top + tile.rows <= picture.rows &&
          left + tile.cols <= picture.cols && tile.channels == 3,
      "expected an RGB tile within the image, got {} x {} x {} at row {} and column {} of {} x {}",
      tile.rows, tile.cols, tile.channels, top, left, picture.rows, picture.cols);
  for (int64_t row = 0; row < tile.rows; ++row) {
    std::copy_n(tile.pixels.begin() + row * tile.cols * 3, tile.cols * 3,
                picture.pixels.begin() + ((top + row) * picture.cols + left) * 3);
  }
}

image::Image enlarge(const image::Image& picture, int64_t factor) {
  require(picture.channels == 1 || picture.channels == 3,
          "expected an image of 1 or 3 channels, got {}", picture.channels);
  require(
      static_cast<int64_t>(picture.pixels.size()) == picture.rows * picture.cols * picture.channels,
      "an image of {} x {} x {} has {} bytes", picture.rows, picture.cols, picture.channels,
      picture.pixels.size());
  require(factor >= 1, "expected a factor of at least 1 for enlarging, got {}", factor);
  image::Image large{picture.rows * factor, picture.cols * factor, 3, {}};
  large.pixels.resize(static_cast<size_t>(large.rows * large.cols * 3));
  auto out = large.pixels.begin();
  for (int64_t row = 0; row < large.rows; ++row) {
    for (int64_t col = 0; col < large.cols; ++col) {
      const auto in =
          picture.pixels.begin() + (row / factor * picture.cols + col / factor) * picture.channels;
      for (int64_t channel = 0; channel < 3; ++channel) {
        *out++ = in[picture.channels == 3 ? channel : 0];
      }
    }
  }
  return large;
}

}  // namespace fcm::viz
