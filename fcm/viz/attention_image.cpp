#include "fcm/viz/attention_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "fcm/base/error.h"
#include "fcm/image/colour.h"
#include "fcm/viz/canvas.h"

namespace fcm::viz {
namespace {

// The colours at heats of 0, 64, 128, 192 and 256.
constexpr std::array<Colour, 5> kHeat{
    {{0, 0, 8}, {84, 16, 109}, {187, 55, 84}, {249, 142, 9}, {252, 255, 200}}};
constexpr int64_t kPartOfHeat = 64;
constexpr int kOfHeat = 3, kOfImage = 1;  // shares of a pixel: 3/4 heat, 1/4 image

// The 99th percentile of the weights; 1 if that is not above 0.
float end_of_scale(std::span<const float> weights_L) {
  std::vector<float> sorted(weights_L.begin(), weights_L.end());
  const auto place = sorted.begin() + (std::ssize(sorted) - 1) * 99 / 100;
  std::nth_element(sorted.begin(), place, sorted.end());
  return *place > 0 ? *place : 1;
}

void frame(image::Image& image, const image::Box& box, int64_t line, Colour colour) {
  fill_box(image, {box.top, box.left, line, box.cols}, colour);
  fill_box(image, {box.top + box.rows - line, box.left, line, box.cols}, colour);
  fill_box(image, {box.top, box.left, box.rows, line}, colour);
  fill_box(image, {box.top, box.left + box.cols - line, box.rows, line}, colour);
}

}  // namespace

Colour heat_colour(int64_t heat) {
  const int64_t part = std::clamp<int64_t>(heat, 0, 255) / kPartOfHeat;
  const int64_t along = std::clamp<int64_t>(heat, 0, 255) % kPartOfHeat;
  const Colour &from = kHeat[static_cast<size_t>(part)], &to = kHeat[static_cast<size_t>(part) + 1];
  Colour colour{};
  for (size_t channel = 0; channel < 3; ++channel) {
    const int64_t step = (to[channel] - from[channel]) * along / kPartOfHeat;
    colour[channel] = static_cast<uint8_t>(from[channel] + step);
  }
  return colour;
}

image::Image attention_image(const image::Image& image, std::span<const float> weights_L,
                             int64_t side) {
  const int64_t cols = image.cols / side;
  require(std::ssize(weights_L) == image.rows / side * cols && !weights_L.empty(),
          "expected one weight per patch, got {} for an image of {} x {} pixels in patches of {}",
          weights_L.size(), image.rows, image.cols, side);
  const float most = end_of_scale(weights_L);
  image::Image out = image::with_channels(image::with_channels(image, 1), 3);
  uint8_t* pixel = out.pixels.data();
  for (int64_t row = 0; row < out.rows; ++row) {
    for (int64_t col = 0; col < out.cols; ++col) {
      const float share = weights_L[static_cast<size_t>(row / side * cols + col / side)] / most;
      const Colour heat = heat_colour(std::lround(255 * std::clamp(share, 0.0f, 1.0f)));
      for (size_t channel = 0; channel < 3; ++channel, ++pixel) {
        *pixel = static_cast<uint8_t>((heat[channel] * kOfHeat + *pixel * kOfImage) /
                                      (kOfHeat + kOfImage));
      }
    }
  }
  return out;
}

void mark_patch(image::Image& image, int64_t row, int64_t col, int64_t side) {
  const int64_t line = side < 24 ? 1 : 2;
  const image::Box box{row * side, col * side, side, side};
  frame(image, {box.top - line, box.left - line, side + 2 * line, side + 2 * line}, line,
        {0, 0, 0});
  frame(image, box, line, {255, 255, 255});
}

}  // namespace fcm::viz
