#include "fcm/viz/segmentation_sheet.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/viz/canvas.h"
#include "fcm/viz/class_map.h"
#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

const std::vector<std::string> kClasses = {"wall", "building", "sky"};
const std::vector<Colour> kPalette = {{200, 0, 0}, {0, 200, 0}, {0, 0, 200}};

image::Image even(int64_t rows, int64_t cols, int64_t channels, uint8_t value) {
  return {rows, cols, channels,
          std::vector<uint8_t>(static_cast<size_t>(rows * cols * channels), value)};
}

SegmentationRow row_of(int64_t rows, int64_t cols) {
  return {even(rows, cols, 3, 100), even(rows, cols, 1, 0), even(rows, cols, 1, 2)};
}

constexpr Colour kImage{100, 100, 100}, kTruth{150, 50, 50}, kGuess{50, 50, 150};

TEST(SegmentationSheet, ShowsImageTruthAndPrediction) {
  const image::Image out = segmentation_sheet({row_of(100, 384)}, kClasses, kPalette, "a title");
  for (const Colour colour : {kImage, kTruth, kGuess}) {
    EXPECT_EQ(test::count(out, colour), 100 * 384);
  }
  const auto left_of = [&](Colour colour) {
    for (int64_t col = 0; col < out.cols; ++col) {
      if (test::pixel(out, out.rows / 2, col) == colour) return col;
    }
    return int64_t{-1};
  };
  EXPECT_LT(left_of(kImage), left_of(kTruth));
  EXPECT_LT(left_of(kTruth), left_of(kGuess));
  const int64_t side = capital_rows(TextSize::kMedium);
  EXPECT_EQ(test::count(out, kPalette[0]), side * side);  // the swatch in the legend
  EXPECT_EQ(test::count(out, kPalette[1]), 0);
  EXPECT_EQ(test::count(out, kPalette[2]), side * side);
}

TEST(SegmentationSheet, FitsImagesOfAllSizes) {
  const image::Image out = segmentation_sheet(
      {row_of(768, 1024), row_of(1024, 512), row_of(10, 20), row_of(1, 4000)}, kClasses, {});
  // The four images are scaled to 288 x 384, 384 x 192, 190 x 380 (by 19) and 1 x 384.
  EXPECT_EQ(test::count(out, kImage), 288 * 384 + 384 * 192 + 190 * 380 + 384);
}

TEST(SegmentationSheet, LeavesOutTruthsWhereNoneIsKnown) {
  SegmentationRow known = row_of(100, 100), unknown = known;
  unknown.truth = {};
  const image::Image none = segmentation_sheet({unknown, unknown}, kClasses, kPalette);
  const image::Image some = segmentation_sheet({unknown, known}, kClasses, kPalette);
  EXPECT_LT(none.cols, some.cols);
  EXPECT_EQ(test::count(none, kTruth), 0);
  EXPECT_EQ(test::count(some, kTruth), 300 * 300);
  EXPECT_EQ(test::count(some, kGuess), 2 * 300 * 300);
}

TEST(SegmentationSheet, RefusesWhatDoesNotFit) {
  EXPECT_THROW(segmentation_sheet({}, kClasses, kPalette), std::logic_error);
  SegmentationRow row = row_of(4, 6);
  row.predicted = even(6, 4, 1, 0);
  EXPECT_THROW(segmentation_sheet({row}, kClasses, kPalette), std::logic_error);
  row.predicted = {};
  EXPECT_THROW(segmentation_sheet({row}, kClasses, kPalette), std::logic_error);
  row.predicted = even(4, 6, 1, 3);
  EXPECT_THROW(segmentation_sheet({row}, kClasses, kPalette), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
