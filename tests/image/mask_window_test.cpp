// Compares windows of resized masks with a pixel-by-pixel implementation.
#include "fcm/image/mask_window.h"

#include <gtest/gtest.h>

#include "tests/image/mask_support.h"

namespace fcm::image {
namespace {

// For each pixel along an axis, the source pixel that Pillow's affine transform reads.
std::vector<int64_t> pillow_positions(int64_t from, int64_t to) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  std::vector<int64_t> positions;
  double at = step * 0.5;
  for (int64_t i = 0; i < to; ++i) {
    positions.push_back(static_cast<int64_t>(at));
    at += step;
  }
  return positions;
}

RunLengths pixel_by_pixel(const test::ByteMask& mask, const MaskWindow& view) {
  const auto rows = pillow_positions(mask.rows, view.to_rows);
  const auto cols = pillow_positions(mask.cols, view.to_cols);
  test::ByteMask canvas{view.canvas_rows, view.canvas_cols, {}};
  canvas.bytes.resize(static_cast<size_t>(view.canvas_rows * view.canvas_cols));
  for (int64_t row = 0; row < view.window.rows; ++row) {
    for (int64_t col = 0; col < view.window.cols; ++col) {
      const int64_t from_row = rows[static_cast<size_t>(view.window.top + row)];
      const int64_t from_col = cols[static_cast<size_t>(view.window.left + col)];
      const bool is_there = from_row < mask.rows && from_col < mask.cols;
      const int64_t to = view.mirror ? view.canvas_cols - 1 - col : col;
      canvas.bytes[static_cast<size_t>(row * view.canvas_cols + to)] =
          is_there ? mask.at(from_row, from_col) : 0;
    }
  }
  return test::encoded(canvas);
}

TEST(MaskWindow, IsTheMaskPixelByPixel) {
  for (uint64_t number = 0; number < 2000; ++number) {
    KeyedRandom random(7, Purpose::kSynthetic, 0, number);
    const auto draw = [&](uint64_t most) { return 1 + static_cast<int64_t>(random.below(most)); };
    const test::ByteMask mask = test::synthetic_mask(number, draw(40), draw(40));
    MaskWindow view;
    view.to_rows = draw(70);
    view.to_cols = draw(70);
    view.window.rows = draw(static_cast<uint64_t>(view.to_rows));
    view.window.cols = draw(static_cast<uint64_t>(view.to_cols));
    view.window.top = draw(static_cast<uint64_t>(view.to_rows - view.window.rows + 1)) - 1;
    view.window.left = draw(static_cast<uint64_t>(view.to_cols - view.window.cols + 1)) - 1;
    view.canvas_rows = view.window.rows + draw(20) - 1;
    view.canvas_cols = view.window.cols + draw(20) - 1;
    view.mirror = random.below(2) == 1;
    ASSERT_EQ(resize_mask(test::encoded(mask), view), pixel_by_pixel(mask, view)) << number;
  }
}

TEST(MaskWindow, PlacesAreAddedUpAsPillowDoes) {
  // 7 rows become 49. Pillow computes positions by repeatedly adding the step 1/7, so rounding
  // decides whether a position near an integer is below it.
  test::ByteMask mask{7, 1, {0, 1, 0, 1, 0, 1, 0}};
  const MaskWindow view{49, 1, {0, 0, 49, 1}, 49, 1, false};
  EXPECT_EQ(resize_mask(test::encoded(mask), view), pixel_by_pixel(mask, view));
}

TEST(MaskWindow, AWindowBeyondTheMaskIsABrokenPromise) {
  const RunLengths mask = empty_mask(4, 4);
  EXPECT_THROW(resize_mask(mask, {8, 8, {1, 0, 8, 8}, 8, 8, false}), std::logic_error);
  EXPECT_THROW(resize_mask(mask, {8, 8, {0, 0, 8, 8}, 8, 7, false}), std::logic_error);
}

}  // namespace
}  // namespace fcm::image
