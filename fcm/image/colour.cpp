#include "fcm/image/colour.h"

#include <cstddef>

#include "fcm/base/error.h"

namespace fcm::image {
namespace {

// a * b / 255, rounded, without a division.
int multiply_255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

}  // namespace

void grey_from_rgb(const uint8_t* rgb, int64_t pixels, uint8_t* grey) {
  // ITU-R 601 luma in 16-bit fixed point.
  for (int64_t i = 0; i < pixels; ++i, rgb += 3) {
    grey[i] =
        static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
  }
}

void rgb_from_grey(const uint8_t* grey, int64_t pixels, uint8_t* rgb) {
  for (int64_t i = 0; i < pixels; ++i, rgb += 3) rgb[0] = rgb[1] = rgb[2] = grey[i];
}

void rgb_from_inverted_cmyk(const uint8_t* cmyk, int64_t pixels, uint8_t* rgb) {
  for (int64_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
    const int light = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      rgb[c] = static_cast<uint8_t>(light - multiply_255(255 - cmyk[c], light));
    }
  }
}

Image with_channels(Image image, int64_t channels) {
  require(channels == 1 || channels == 3, "with_channels: expected 1 or 3 channels, got {}",
          channels);
  if (image.channels == channels) return image;
  const int64_t pixels = image.rows * image.cols;
  Image result{image.rows, image.cols, channels, {}};
  result.pixels.resize(static_cast<size_t>(pixels * channels));
  const auto convert = channels == 1 ? grey_from_rgb : rgb_from_grey;
  convert(image.pixels.data(), pixels, result.pixels.data());
  return result;
}

}  // namespace fcm::image
