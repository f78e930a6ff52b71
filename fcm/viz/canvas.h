// Drawing operations on RGB images, and the colours that sheets and legends share.
#pragma once

#include <cstdint>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

inline constexpr Colour kGround{252, 252, 250};  // nearly white
inline constexpr Colour kInk{32, 33, 36};
inline constexpr Colour kSoftInk{95, 99, 104};

// An image of rows x cols pixels of one colour.
image::Image blank(int64_t rows, int64_t cols, Colour colour = kGround);

// Fills a box with one colour; parts outside the image are clipped.
void fill_box(image::Image& image, const image::Box& box, Colour colour);

// Copies an RGB tile that must fit into the image (std::logic_error otherwise).
void paste(image::Image& image, const image::Image& tile, int64_t top, int64_t left);

// Repeats every pixel factor x factor times; grey becomes RGB.
image::Image enlarge(const image::Image& image, int64_t factor);

}  // namespace fcm::viz
