#include "fcm/viz/attention_image.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

image::Image even_grey(int64_t side, uint8_t value) {
  return {side, side, 3, std::vector<uint8_t>(static_cast<size_t>(side * side * 3), value)};
}

double lightness(Colour colour) {
  return 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2];
}

TEST(AttentionImage, MoreHeatIsLighter) {
  for (int64_t heat = 1; heat < 256; ++heat) {
    EXPECT_GE(lightness(heat_colour(heat)), lightness(heat_colour(heat - 1))) << heat;
  }
  EXPECT_LT(lightness(heat_colour(0)), 5);
  EXPECT_GT(lightness(heat_colour(255)), 230);
  EXPECT_EQ(heat_colour(-5), heat_colour(0));
  EXPECT_EQ(heat_colour(400), heat_colour(255));
}

// An image of 2 x 2 patches of 4 x 4 pixels.
TEST(AttentionImage, SquaresOfHeatLieOverTheImage) {
  const std::vector<float> weights{0, 0.5F, 0.25F, 0.5F};
  const image::Image out = attention_image(even_grey(8, 100), weights, 4);
  const auto mixed = [](int64_t heat) {
    Colour colour = heat_colour(heat);
    for (uint8_t& channel : colour) channel = static_cast<uint8_t>((channel * 3 + 100) / 4);
    return colour;
  };
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t col = 0; col < 8; ++col) {
      const int64_t patch = row / 4 * 2 + col / 4;
      EXPECT_EQ(test::pixel(out, row, col), mixed(patch == 0 ? 0 : patch == 2 ? 128 : 255));
    }
  }
  // Under the heat the image is visible in grey, without its colour.
  image::Image red = even_grey(8, 0);
  for (size_t at = 0; at < red.pixels.size(); at += 3) red.pixels[at] = 255;
  const Colour over_red = test::pixel(attention_image(red, weights, 4), 0, 0);
  EXPECT_EQ(over_red[0], over_red[1]);
  EXPECT_GT(over_red[0], 10);
}

// One of 100 patches has nearly all attention; the others still have visible colours.
TEST(AttentionImage, OnePatchDoesNotMakeAllOthersBlack) {
  std::vector<float> weights(100, 0.001F);
  weights[0] = 0.9F;
  const image::Image out = attention_image(even_grey(20, 0), weights, 2);
  EXPECT_GT(lightness(test::pixel(out, 10, 10)), 100);
  const image::Image nothing = attention_image(even_grey(20, 0), std::vector<float>(100), 2);
  EXPECT_LT(lightness(test::pixel(nothing, 10, 10)), 10);
  EXPECT_THROW(attention_image(even_grey(20, 0), weights, 4), std::logic_error);
  EXPECT_THROW(attention_image(even_grey(20, 0), {}, 40), std::logic_error);
}

TEST(AttentionImage, AFrameMarksItsPatchOnAnyGround) {
  for (const uint8_t ground : {0, 128, 255}) {
    image::Image image = even_grey(32, ground);
    mark_patch(image, 1, 2, 8);
    EXPECT_EQ(test::pixel(image, 8, 16), (Colour{255, 255, 255}));
    EXPECT_EQ(test::pixel(image, 15, 23), (Colour{255, 255, 255}));
    EXPECT_EQ(test::pixel(image, 7, 16), (Colour{0, 0, 0}));
    EXPECT_EQ(test::pixel(image, 16, 20), (Colour{0, 0, 0}));
    EXPECT_EQ(test::pixel(image, 12, 20), (Colour{ground, ground, ground}));
    EXPECT_EQ(test::pixel(image, 5, 14), (Colour{ground, ground, ground}));
    mark_patch(image, 0, 0, 8);  // at the border the frame is clipped
    EXPECT_EQ(test::pixel(image, 0, 0), (Colour{255, 255, 255}));
  }
}

}  // namespace
}  // namespace fcm::viz
