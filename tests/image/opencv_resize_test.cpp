#include "fcm/image/opencv_resize.h"

#include <algorithm>
#include <cmath>

#include "tests/image/support.h"

namespace fcm::image {
namespace {

// Computes each value of the resized image separately by the formula.
class PlainLinear {
 public:
  PlainLinear(const Image& image, int64_t rows, int64_t cols)
      : image_(image), rows_(rows), cols_(cols) {}

  uint8_t at(int64_t row, int64_t col, int64_t channel) const {
    if (rows_ == image_.rows && cols_ == image_.cols) return pixel(row, col, channel);
    if (image_.rows == 2 * rows_ && image_.cols == 2 * cols_) {
      int sum = 2;
      for (int64_t i = 0; i < 4; ++i) sum += pixel(2 * row + i / 2, 2 * col + i % 2, channel);
      return static_cast<uint8_t>(sum >> 2);
    }
    const auto [first, share] = tap(image_.rows, rows_, row);
    const int64_t above = std::clamp<int64_t>(first, 0, image_.rows - 1);
    const int64_t below = std::clamp<int64_t>(first + 1, 0, image_.rows - 1);
    const int one = weight(1 - share) * (across(above, col, channel) >> 4);
    const int other = weight(share) * (across(below, col, channel) >> 4);
    return static_cast<uint8_t>(((one >> 16) + (other >> 16) + 2) >> 2);
  }

 private:
  static std::pair<int64_t, float> tap(int64_t from, int64_t to, int64_t place) {
    const double step = 1 / (static_cast<double>(to) / static_cast<double>(from));
    const auto at = static_cast<float>((static_cast<double>(place) + 0.5) * step - 0.5);
    return {static_cast<int64_t>(std::floor(at)), at - std::floor(at)};
  }
  static int weight(float share) { return static_cast<int>(std::nearbyint(share * 2048.0F)); }

  int across(int64_t row, int64_t col, int64_t channel) const {
    auto [first, share] = tap(image_.cols, cols_, col);
    if (first < 0) first = 0, share = 0;
    if (first >= image_.cols - 1) first = image_.cols - 1, share = 0;
    const int64_t second = std::min(first + 1, image_.cols - 1);
    return pixel(row, first, channel) * weight(1 - share) +
           pixel(row, second, channel) * weight(share);
  }
  int pixel(int64_t row, int64_t col, int64_t channel) const {
    return image_
        .pixels[static_cast<size_t>((row * image_.cols + col) * image_.channels + channel)];
  }

  const Image& image_;
  int64_t rows_, cols_;
};

std::vector<uint8_t> plainly(const Image& image, int64_t rows, int64_t cols) {
  const PlainLinear plain(image, rows, cols);
  std::vector<uint8_t> out;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      for (int64_t c = 0; c < image.channels; ++c) out.push_back(plain.at(row, col, c));
    }
  }
  return out;
}

struct Sizes {
  int64_t rows, cols, to_rows, to_cols;
};

// Enlarged, reduced, along one axis only, by exactly one half, by one half along one axis, from or
// to one pixel, and unchanged.
const std::vector<Sizes> kSizes{
    {37, 50, 51, 68}, {51, 68, 26, 34},  {40, 60, 20, 30}, {40, 60, 20, 31}, {40, 60, 20, 60},
    {33, 21, 33, 21}, {33, 21, 33, 40},  {5, 7, 40, 30},   {64, 48, 11, 9},  {1, 9, 4, 20},
    {1, 1, 5, 6},     {2, 2, 1, 1},      {9, 1, 3, 1},     {30, 40, 61, 81}, {100, 100, 75, 50},
    {17, 90, 3, 200}, {64, 512, 64, 683}};

TEST(OpenCvResize, LinearIsTheFormula) {
  for (const Sizes& s : kSizes) {
    for (const int64_t channels : {1, 3}) {
      const Image image = test::pattern(s.rows, s.cols, channels);
      const Image got = resize_linear(image, s.to_rows, s.to_cols);
      EXPECT_EQ(got.rows, s.to_rows);
      EXPECT_EQ(got.cols, s.to_cols);
      EXPECT_TRUE(got.pixels == plainly(image, s.to_rows, s.to_cols))
          << s.rows << "x" << s.cols << " to " << s.to_rows << "x" << s.to_cols;
    }
  }
}

// Negative control: the same filter in floating point, rounded at the end, gives other values.
TEST(OpenCvResize, ARoundedFilterInFloatsDiffers) {
  const Image image = test::pattern(40, 1, 1);
  const Image got = resize_linear(image, 70, 1);
  int differing = 0;
  for (int64_t row = 0; row < 70; ++row) {
    const double at = std::clamp((static_cast<double>(row) + 0.5) * 40 / 70 - 0.5, 0.0, 39.0);
    const auto first = static_cast<size_t>(at), second = std::min<size_t>(first + 1, 39);
    const double share = at - std::floor(at);
    const double value = image.pixels[first] * (1 - share) + image.pixels[second] * share;
    const int off = std::abs(static_cast<int>(std::lrint(value)) -
                             static_cast<int>(got.pixels[static_cast<size_t>(row)]));
    EXPECT_LE(off, 1);
    differing += off;
  }
  EXPECT_GT(differing, 3);
}

std::vector<uint8_t> cut(const std::vector<uint8_t>& pixels, int64_t cols, int64_t channels,
                         const Box& box) {
  std::vector<uint8_t> out;
  for (int64_t row = box.top; row < box.top + box.rows; ++row) {
    const auto begin = pixels.begin() + (row * cols + box.left) * channels;
    out.insert(out.end(), begin, begin + box.cols * channels);
  }
  return out;
}

// Windows at the edges and inside. Each is computed from only the source pixels that it needs.
TEST(OpenCvResize, AWindowFromItsSourceAloneHasTheBitsOfTheWhole) {
  for (const Sizes& s : kSizes) {
    const Image image = test::pattern(s.rows, s.cols, 3);
    const Resizing resizing{s.rows, s.cols, s.to_rows, s.to_cols};
    const Image whole = resize_linear(image, s.to_rows, s.to_cols);
    const std::vector<uint8_t> labels = test::pattern(s.rows, s.cols, 1).pixels;
    std::vector<uint8_t> whole_map(static_cast<size_t>(s.to_rows * s.to_cols));
    resize_nearest(resizing, labels.data(), {0, 0, s.to_rows, s.to_cols}, whole_map.data());
    for (int64_t i = 0; i < 12; ++i) {
      const int64_t top = s.to_rows * (i % 4) / 4, left = s.to_cols * (i / 4) / 3;
      const Box window{top, left, std::max<int64_t>((s.to_rows - top) * (i % 3 + 1) / 3, 1),
                       std::max<int64_t>((s.to_cols - left) * (i % 2 + 1) / 2, 1)};
      const Box source = linear_source(resizing, window);
      const Image part{source.rows, source.cols, 3, cut(image.pixels, s.cols, 3, source)};
      std::vector<uint8_t> got(static_cast<size_t>(window.rows * window.cols * 3));
      resize_linear(resizing, part, {0, 0, source.rows, source.cols}, window, got.data());
      EXPECT_TRUE(got == cut(whole.pixels, s.to_cols, 3, window));
      std::vector<uint8_t> map(static_cast<size_t>(window.rows * window.cols));
      resize_nearest(resizing, labels.data(), window, map.data());
      EXPECT_TRUE(map == cut(whole_map, s.to_cols, 1, window));
    }
  }
}

std::vector<uint8_t> nearest_of(std::vector<uint8_t> row, int64_t cols) {
  std::vector<uint8_t> out(static_cast<size_t>(cols));
  resize_nearest({1, std::ssize(row), 1, cols}, row.data(), {0, 0, 1, cols}, out.data());
  return out;
}

TEST(OpenCvResize, NearestHasNoShiftByHalfAPixel) {
  EXPECT_EQ(nearest_of({1, 2, 3}, 2), (std::vector<uint8_t>{1, 2}));  // with a shift: 1, 3
  EXPECT_EQ(nearest_of({1, 2}, 4), (std::vector<uint8_t>{1, 1, 2, 2}));
  EXPECT_EQ(nearest_of({1, 2, 3}, 5), (std::vector<uint8_t>{1, 1, 2, 2, 3}));
  EXPECT_EQ(nearest_of({1, 2, 3, 4, 5}, 5), (std::vector<uint8_t>{1, 2, 3, 4, 5}));
}

TEST(OpenCvResize, WhatIsNoWindowIsABrokenPromise) {
  const Image image = test::pattern(4, 4, 3);
  std::vector<uint8_t> out(1000);
  EXPECT_THROW(linear_source({4, 4, 8, 8}, {4, 0, 5, 8}), std::logic_error);
  EXPECT_THROW(resize_linear(image, 0, 3), std::logic_error);
  // The source has too few rows for the window.
  EXPECT_THROW(resize_linear({4, 4, 8, 8}, image, {0, 0, 2, 4}, {0, 0, 8, 8}, out.data()),
               std::logic_error);
  EXPECT_THROW(resize_nearest({4, 4, 8, 8}, out.data(), {-1, 0, 2, 2}, out.data()),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::image
