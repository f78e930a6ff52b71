#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/augment.h"

namespace fcm::image {
namespace {

// A position in the input, in pixels from the centre of the first pixel.
struct SamplePosition {
  double row, col;
};

// Values of one channel; positions outside are clamped to the image.
class Channel {
 public:
  Channel(const Image& image, int64_t channel) : image_(image), channel_(channel) {}

  bool has_row(int64_t row) const { return row >= 0 && row < image_.rows; }
  int at(int64_t row, int64_t col) const {
    row = std::clamp<int64_t>(row, 0, image_.rows - 1);
    col = std::clamp<int64_t>(col, 0, image_.cols - 1);
    const int64_t place = (row * image_.cols + col) * image_.channels + channel_;
    return image_.pixels[static_cast<size_t>(place)];
  }

 private:
  const Image& image_;
  int64_t channel_;
};

double bilinear(const Channel& channel, const SamplePosition& position) {
  const auto row = static_cast<int64_t>(std::floor(position.row));
  const auto col = static_cast<int64_t>(std::floor(position.col));
  const double dy = position.row - static_cast<double>(row);
  const double dx = position.col - static_cast<double>(col);
  const auto across = [&](int64_t r) {
    const int left = channel.at(r, col);
    return left + (channel.at(r, col + 1) - left) * dx;
  };
  const double upper = across(row);
  const double lower = channel.has_row(row + 1) ? across(row + 1) : upper;
  return upper + (lower - upper) * dy;
}

// Cubic interpolation of four neighbours (Keys with a = -1, as in Image.transform; resizing uses
// -0.5), in Pillow's order of operations.
double cubic(double v1, double v2, double v3, double v4, double d) {
  const double p2 = -v1 + v3;
  const double p3 = 2 * (v1 - v2) + v3 - v4;
  const double p4 = -v1 + v2 - v3 + v4;
  return v2 + d * (p2 + d * (p3 + d * p4));
}

// Of the four rows, the first is clamped to the image; a later row outside the image repeats the
// interpolated value of the row before it.
double bicubic(const Channel& channel, const SamplePosition& position) {
  const auto row = static_cast<int64_t>(std::floor(position.row));
  const auto col = static_cast<int64_t>(std::floor(position.col));
  const double dy = position.row - static_cast<double>(row);
  const double dx = position.col - static_cast<double>(col);
  std::array<double, 4> values{};
  for (int64_t k = 0; k < 4; ++k) {
    const auto at = static_cast<size_t>(k);
    const int64_t r = row - 1 + k;
    if (k > 0 && !channel.has_row(r)) {
      values[at] = values[at - 1];
      continue;
    }
    values[at] = cubic(channel.at(r, col - 1), channel.at(r, col), channel.at(r, col + 1),
                       channel.at(r, col + 2), dx);
  }
  return cubic(values[0], values[1], values[2], values[3], dy);
}

// Python's round(value, 15): formatted with 15 decimals and parsed again.
double rounded_15(double value) {
  const std::string text = fmt::format("{:.15f}", value);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

}  // namespace

void transform(Image& image, const Affine& m, Interpolation interpolation,
               std::span<const uint8_t> fill) {
  require(std::ssize(fill) == image.channels, "transform: got {} fill values for {} channels",
          fill.size(), image.channels);
  const auto value = interpolation == Interpolation::kBicubic ? bicubic : bilinear;
  const auto rows = static_cast<double>(image.rows), cols = static_cast<double>(image.cols);
  std::vector<uint8_t> result(image.pixels.size());
  uint8_t* out = result.data();
  for (int64_t row = 0; row < image.rows; ++row) {
    for (int64_t col = 0; col < image.cols; ++col, out += image.channels) {
      const double x = static_cast<double>(col) + 0.5, y = static_cast<double>(row) + 0.5;
      const double from_x = m[0] * x + m[1] * y + m[2];
      const double from_y = m[3] * x + m[4] * y + m[5];
      if (from_x < 0 || from_x >= cols || from_y < 0 || from_y >= rows) {
        std::copy(fill.begin(), fill.end(), out);
        continue;
      }
      const SamplePosition position{from_y - 0.5, from_x - 0.5};
      for (int64_t c = 0; c < image.channels; ++c) {
        out[c] = static_cast<uint8_t>(std::clamp(value(Channel(image, c), position), 0.0, 255.0));
      }
    }
  }
  image.pixels = std::move(result);
}

void rotate(Image& image, double degrees, Interpolation interpolation,
            std::span<const uint8_t> fill) {
  require(std::abs(degrees) < 90, "rotate: expected between -90 and 90 degrees, got {}", degrees);
  const double turn = degrees < 0 ? degrees + 360.0 : degrees;
  if (turn == 0) return;
  const double angle = -(turn * (std::numbers::pi / 180.0));
  const double cosine = rounded_15(std::cos(angle)), sine = rounded_15(std::sin(angle));
  const double x = static_cast<double>(image.cols) / 2;
  const double y = static_cast<double>(image.rows) / 2;
  const double back = rounded_15(-std::sin(angle));
  transform(image,
            {cosine, sine, cosine * -x + sine * -y + x, back, cosine, back * -x + cosine * -y + y},
            interpolation, fill);
}

}  // namespace fcm::image
