#include "fcm/viz/labels.h"

#include <gtest/gtest.h>

#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

constexpr Colour kBlue{38, 110, 185};

image::Image even_image(int64_t rows, int64_t cols) {
  return {rows, cols, 3, std::vector<uint8_t>(static_cast<size_t>(rows * cols * 3), 90)};
}

TEST(LabelsUnderImage, ShowTheImageAndBarsAsLongAsScores) {
  const image::Image half = labels_under_image(even_image(300, 400), {{"cat", 0.5}});
  const image::Image all = labels_under_image(even_image(300, 400), {{"cat", 1}});
  const image::Image none = labels_under_image(even_image(300, 400), {{"cat", 0}});
  EXPECT_EQ(test::count(half, Colour{90, 90, 90}), 300 * 400);
  const int64_t bar = test::count(all, kBlue);
  EXPECT_GT(bar, 500);
  EXPECT_NEAR(static_cast<double>(test::count(half, kBlue)), static_cast<double>(bar) / 2,
              static_cast<double>(bar) * 0.02);
  EXPECT_EQ(test::count(none, kBlue), 0);
}

TEST(LabelsUnderImage, HaveALineEach) {
  const image::Image one = labels_under_image(even_image(300, 400), {{"cat", 0.5}});
  const image::Image two = labels_under_image(even_image(300, 400), {{"cat", 0.5}, {"dog", 0.25}});
  EXPECT_GT(two.rows, one.rows);
  EXPECT_EQ(two.cols, one.cols);
}

TEST(LabelsUnderImage, FitSmallAndLargeImages) {
  const std::string name(200, 'x');
  for (const auto& [rows, cols] : {std::pair{1, 1}, {28, 28}, {10, 3000}, {3000, 10}}) {
    const image::Image out = labels_under_image(even_image(rows, cols), {{name, 1}});
    EXPECT_GE(out.cols, 320);
    EXPECT_GT(test::count(out, kBlue), 0);
  }
}

}  // namespace
}  // namespace fcm::viz
