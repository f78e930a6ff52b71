// Operations of RandAugment and colour jitter on pictures of bytes, in place, with the arithmetic
// of Pillow 13 (ImageOps, ImageEnhance, Image.transform, Image.rotate): the same bits.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/image/image.h"

namespace fcm::image {

// One table of 256 a channel.
void autocontrast(Image& picture);  // the values that occur are spread over 0..255
void equalize(Image& picture);      // flattens the histogram
void invert(Image& picture);
void posterize(Image& picture, int bits);                     // keeps the `bits` highest, 0..8
void solarize(Image& picture, int threshold);                 // inverts values from it on
void solarize_add(Image& picture, int add, int below = 128);  // lifts values below, up to 255

// Blends with a picture that lacks the property: grey, of its mean grey, black, smoothed. 1 leaves
// the picture as it is, more exaggerates.
void change_color(Image& picture, double factor);
void change_contrast(Image& picture, double factor);
void change_brightness(Image& picture, double factor);
void change_sharpness(Image& picture, double factor);

// Output pixel (x, y) shows the input at (m0 x + m1 y + m2, m3 x + m4 y + m5), both measured to the
// pixels' centres; `fill`, a value a channel, where that lies outside.
using Affine = std::array<double, 6>;
void transform(Image& picture, const Affine& matrix, Interpolation interpolation,
               std::span<const uint8_t> fill);

// Counterclockwise around the middle, by less than 90 degrees.
void rotate(Image& picture, double degrees, Interpolation interpolation,
            std::span<const uint8_t> fill);

}  // namespace fcm::image
