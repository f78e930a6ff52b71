#include "fcm/viz/fitted.h"

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/viz/canvas.h"

namespace fcm::viz {

FittedSize fitted_size(int64_t rows, int64_t cols, int64_t place) {
  const int64_t side = std::max(rows, cols);
  require(rows >= 1 && cols >= 1, "expected an image with pixels, got {} x {}", rows, cols);
  if (side <= place) {
    const int64_t factor = place / side;
    return {rows * factor, cols * factor};
  }
  const double share = static_cast<double>(place) / static_cast<double>(side);
  const auto shrunk = [&](int64_t extent) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(extent) * share));
  };
  return {shrunk(rows), shrunk(cols)};
}

image::Image fitted_image(const image::Image& image, const FittedSize& size) {
  if (size.rows >= image.rows && size.cols >= image.cols) {
    return enlarge(image, size.rows / image.rows);
  }
  image::Image out{size.rows, size.cols, image.channels, {}};
  out.pixels.resize(static_cast<size_t>(size.rows * size.cols * image.channels));
  image::crop_resize(image, {0, 0, image.rows, image.cols}, size.rows, size.cols,
                     image::Interpolation::kBilinear, /*mirror=*/false, out.pixels.data());
  return enlarge(out, 1);
}

image::Image fitted_map(const image::Image& map, const FittedSize& size) {
  image::Image out{size.rows, size.cols, 1, {}};
  out.pixels.reserve(static_cast<size_t>(size.rows * size.cols));
  for (int64_t row = 0; row < size.rows; ++row) {
    const uint8_t* from = map.pixels.data() + (2 * row + 1) * map.rows / (2 * size.rows) * map.cols;
    for (int64_t col = 0; col < size.cols; ++col) {
      out.pixels.push_back(from[(2 * col + 1) * map.cols / (2 * size.cols)]);
    }
  }
  return out;
}

}  // namespace fcm::viz
