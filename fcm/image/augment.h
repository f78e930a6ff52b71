// Operations of RandAugment and colour jitter on uint8 images, in place, bit-identical to Pillow 13
// (ImageOps, ImageEnhance, Image.transform, Image.rotate).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "fcm/image/image.h"

namespace fcm::image {

// Operations that map each channel through a table of 256 values.
void autocontrast(Image& image);  // stretches the occurring values to 0..255
void equalize(Image& image);      // flattens the histogram
void invert(Image& image);
void posterize(Image& image, int bits);                     // keeps the `bits` highest bits, 0..8
void solarize(Image& image, int threshold);                 // inverts values >= threshold
void solarize_add(Image& image, int add, int below = 128);  // adds to values < below

// Each blends the image with one that lacks the property: a grey, a uniformly grey, a black or a
// smoothed image. Factor 0 gives that image, 1 changes nothing, above 1 exaggerates the property.
void change_color(Image& image, double factor);
void change_contrast(Image& image, double factor);
void change_brightness(Image& image, double factor);
void change_sharpness(Image& image, double factor);

// Output pixel (x, y) samples the input at (m0 x + m1 y + m2, m3 x + m4 y + m5), where the centre
// of the first pixel is (0.5, 0.5). Samples outside the input are `fill`, one value per channel.
using Affine = std::array<double, 6>;
void transform(Image& image, const Affine& matrix, Interpolation interpolation,
               std::span<const uint8_t> fill);

// Rotates counterclockwise around the centre, by less than 90 degrees in either direction.
void rotate(Image& image, double degrees, Interpolation interpolation,
            std::span<const uint8_t> fill);

}  // namespace fcm::image
