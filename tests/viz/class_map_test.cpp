#include "fcm/viz/class_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "fcm/viz/canvas.h"
#include "fcm/viz/class_colours.h"
#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

const std::vector<std::string> kNames = {"wall", "building", "sky"};
const std::vector<Colour> kColours = {{200, 0, 0}, {0, 200, 0}, {0, 0, 200}};

image::Image grey_image(int64_t rows, int64_t cols, uint8_t value) {
  return {rows, cols, 1, std::vector<uint8_t>(static_cast<size_t>(rows * cols), value)};
}

// A class map: the left half is class 0, the right half class 2, and the last row has no class.
image::Image halves(int64_t rows, int64_t cols) {
  image::Image map = grey_image(rows, cols, 0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      map.pixels[static_cast<size_t>(row * cols + col)] = row + 1 == rows  ? kNoClass
                                                          : col < cols / 2 ? 0
                                                                           : 2;
    }
  }
  return map;
}

TEST(ClassMap, MixesHalfAndHalfAndDrawsBordersFull) {
  const image::Image out = blend_classes(grey_image(6, 8, 100), halves(6, 8), kColours, 1);
  ASSERT_EQ(out.channels, 3);
  EXPECT_EQ(test::pixel(out, 0, 0), (Colour{150, 50, 50}));
  EXPECT_EQ(test::pixel(out, 0, 7), (Colour{50, 50, 150}));
  EXPECT_EQ(test::pixel(out, 0, 3), kColours[0]);  // a border has full colour on both sides
  EXPECT_EQ(test::pixel(out, 0, 4), kColours[2]);
  EXPECT_EQ(test::pixel(out, 4, 0), kColours[0]);
  EXPECT_EQ(test::pixel(out, 5, 0), (Colour{50, 50, 50}));  // no class: darker, without a border
  EXPECT_EQ(
      test::count(blend_classes(grey_image(6, 8, 100), halves(6, 8), kColours, 2), kColours[0]),
      5 * 2 + 2 * 2);
}

TEST(ClassMap, TheImagesOwnColoursDoNotShow) {
  image::Image red{2, 2, 3, {}};
  for (int i = 0; i < 4; ++i) red.pixels.insert(red.pixels.end(), {250, 0, 0});
  const Colour mixed = test::pixel(blend_classes(red, grey_image(2, 2, 1), kColours, 1), 0, 0);
  EXPECT_EQ(mixed[0], mixed[2]);
}

TEST(ClassMap, LegendsBeginWithTheLargestClass) {
  image::Image map = grey_image(40, 50, 1);
  map.pixels[0] = 0;  // 1 of 2000 pixels
  std::fill_n(map.pixels.begin() + 1, 400, kNoClass);
  std::fill_n(map.pixels.begin() + 401, 300, 2);
  const std::vector<LegendEntry> entries = legend_of({&map}, kNames, kColours, true);
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0].name, "building");
  EXPECT_EQ(entries[0].colour, kColours[1]);
  EXPECT_EQ(entries[0].figure, "65.0 %");  // 64.95
  EXPECT_EQ(entries[1].figure, "15.0 %");
  EXPECT_EQ(entries[2].name, "wall");
  EXPECT_EQ(entries[2].figure, "0.1 %");
  EXPECT_EQ(entries[3].name, "no class");
  const image::Image large = grey_image(100, 100, 2);
  EXPECT_EQ(legend_of({&map, &large}, kNames, kColours, true)[2].figure, "<0.1 %");
  EXPECT_EQ(legend_of({&map, &large}, kNames, kColours, false)[0].name, "sky");
  EXPECT_EQ(legend_of({&map}, kNames, kColours, false)[0].figure, "");
}

TEST(ClassMap, AnyImageGetsRoomForItsLegend) {
  for (const auto& [rows, cols] : {std::pair{1, 1}, std::pair{32, 40}, std::pair{500, 60},
                                   std::pair{60, 500}, std::pair{900, 1300}}) {
    const image::Image out =
        map_over_image(grey_image(rows, cols, 90), halves(rows, cols), kNames, {});
    EXPECT_EQ(out.channels, 3);
    EXPECT_EQ(std::ssize(out.pixels), out.rows * out.cols * 3);
    EXPECT_GE(out.cols, 180) << rows << " x " << cols;
    EXPECT_GE(std::max(out.rows, out.cols), 400) << rows << " x " << cols;
    EXPECT_LE(out.rows * out.cols, 4 * std::max(400 * 400, rows * cols)) << rows << " x " << cols;
    EXPECT_GT(test::count(out, kInk), 20);  // the legend's letters
  }
}

TEST(ClassMap, WithoutColoursTheyAreMade) {
  EXPECT_EQ(colours_of_classes(kNames, {}), class_colours(3));
  EXPECT_EQ(colours_of_classes(kNames, kColours), kColours);
  EXPECT_THROW(colours_of_classes(kNames, {{1, 2, 3}}), std::logic_error);
}

TEST(ClassMap, PlainMapsComeBackFromTheirFiles) {
  image::Image map = grey_image(32, 32, 0);
  for (size_t i = 0; i < map.pixels.size(); ++i) map.pixels[i] = static_cast<uint8_t>(i % 256);
  const image::Image again = image::decode(image::encode_png(map), 1);
  EXPECT_EQ(again.pixels, map.pixels);
  EXPECT_EQ(again.rows, map.rows);
}

TEST(ClassMap, RefusesMapsThatAreNone) {
  const image::Image image = grey_image(6, 8, 100);
  EXPECT_THROW(blend_classes(image, halves(8, 6), kColours, 1), std::logic_error);
  EXPECT_THROW(blend_classes(image, grey_image(6, 8, 3), kColours, 1), std::logic_error);
  EXPECT_THROW(map_over_image(image, grey_image(6, 8, 3), kNames, {}), std::logic_error);
  EXPECT_THROW(blend_classes(image, image::Image{6, 8, 3, std::vector<uint8_t>(144)}, kColours, 1),
               std::logic_error);
}

TEST(Canvas, TilesHaveToLieInside) {
  image::Image out = blank(5, 5);
  paste(out, blank(2, 3, kInk), 3, 2);
  EXPECT_EQ(test::count(out, kInk), 6);
  EXPECT_THROW(paste(out, blank(2, 3), 4, 2), std::logic_error);
  EXPECT_THROW(paste(out, blank(2, 3), 0, -1), std::logic_error);
  fill_box(out, {-2, -2, 3, 3}, kSoftInk);  // pixels outside are ignored
  EXPECT_EQ(test::count(out, kSoftInk), 1);
}

}  // namespace
}  // namespace fcm::viz
