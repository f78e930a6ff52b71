// Compares masks pasted into images with a pixel-by-pixel implementation and known answers; tests
// invalid boxes.
#include "fcm/image/paste_mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/image/image_boxes.h"
#include "tests/image/mask_support.h"

namespace fcm::image {
namespace {

using PasteBox = std::array<float, 4>;

struct PasteSquare {
  int64_t side = 0;
  std::vector<float> values;

  float at(int64_t row, int64_t col) const {
    if (row < 0 || col < 0 || row >= side || col >= side) return 0;
    return values[static_cast<size_t>(row * side + col)];
  }
};

float random_share(KeyedRandom& random) { return static_cast<float>(random.below(1001)) / 1000.F; }

// Random values: noise, blobs with long runs of 0 and 1, or a mixture of 0, exactly 0.5, and 1.
PasteSquare synthetic_square(uint64_t number, int64_t side) {
  KeyedRandom random(9, Purpose::kSynthetic, 1, number);
  PasteSquare square{side, std::vector<float>(static_cast<size_t>(side * side))};
  const uint64_t kind = number % 3;
  const float middle = random_share(random) * static_cast<float>(side);
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t col = 0; col < side; ++col) {
      const float away =
          std::hypot(static_cast<float>(row) - middle, static_cast<float>(col) - middle);
      float& value = square.values[static_cast<size_t>(row * side + col)];
      value = kind == 0 ? random_share(random)
                        : (kind == 1 ? 1 / (1 + std::exp(away - static_cast<float>(side) / 3))
                                     : static_cast<float>(random.below(3)) / 2);
    }
  }
  return square;
}

// The coordinate of a pixel's centre in the square of mask values, along one axis.
float plain_place(int64_t pixel, float first, float last, int64_t side) {
  const float share = (static_cast<float>(pixel) + 0.5F - first) / (last - first) * 2 - 1;
  return (share + 1) * (static_cast<float>(side) / 2) - 0.5F;
}

// Pastes the mask pixel by pixel over the whole image.
test::ByteMask plain_paste(const PasteSquare& square, const PasteBox& box, int64_t rows,
                           int64_t cols, float threshold, float moved = 0) {
  test::ByteMask mask{rows, cols, std::vector<uint8_t>(static_cast<size_t>(rows * cols))};
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const float y = plain_place(row, box[1], box[3], square.side) + moved;
      const float x = plain_place(col, box[0], box[2], square.side) + moved;
      const auto top = static_cast<int64_t>(std::floor(y)),
                 left = static_cast<int64_t>(std::floor(x));
      const float down = y - std::floor(y), across = x - std::floor(x);
      const auto between = [&](int64_t at) {
        return (1 - across) * square.at(at, left) + across * square.at(at, left + 1);
      };
      const float value = (1 - down) * between(top) + down * between(top + 1);
      mask.bytes[static_cast<size_t>(row * cols + col)] = value >= threshold ? 1 : 0;
    }
  }
  return mask;
}

TEST(PasteMask, EqualsThePlainFormToThePixel) {
  int64_t set = 0;
  for (uint64_t number = 0; number < 240; ++number) {
    KeyedRandom random(9, Purpose::kSynthetic, 2, number);
    const int64_t side = number % 5 == 0 ? 1 + static_cast<int64_t>(random.below(5)) : 28;
    const PasteSquare square = synthetic_square(number, side);
    const auto rows = static_cast<int64_t>(1 + random.below(90)),
               cols = static_cast<int64_t>(1 + random.below(90));
    const float x = random_share(random) * 100 - 10, y = random_share(random) * 100 - 10;
    const PasteBox box{x, y, x + .1F + random_share(random) * 120,
                       y + .1F + random_share(random) * 60};
    const float threshold = number % 4 == 0 ? .25F : .5F;
    const RunLengths mask = paste_mask(square.values, side, box, rows, cols, threshold);
    const test::ByteMask wanted = plain_paste(square, box, rows, cols, threshold);
    EXPECT_EQ(mask, test::encoded(wanted)) << number;
    set += mask_area(mask);
  }
  EXPECT_GT(set, 10'000);
}

// Negative control: if the values are shifted by half a cell, the mask differs.
TEST(PasteMask, AShiftByHalfANumberIsSeen) {
  const PasteSquare square = synthetic_square(1, 28);
  const PasteBox box{4.3F, 5.1F, 60.7F, 70.2F};
  EXPECT_EQ(paste_mask(square.values, 28, box, 80, 80),
            test::encoded(plain_paste(square, box, 80, 80, .5F)));
  EXPECT_NE(paste_mask(square.values, 28, box, 80, 80),
            test::encoded(plain_paste(square, box, 80, 80, .5F, .5F)));
}

TEST(PasteMask, ASquareOfOnesFillsItsBox) {
  const std::vector<float> ones(28 * 28, 1);
  const RunLengths mask = paste_mask(ones, 28, {2, 1, 5, 4}, 6, 7);
  EXPECT_EQ(mask_box(mask), (std::array<double, 4>{2, 1, 3, 3}));
  EXPECT_EQ(mask_area(mask), 9);
  // The box extends beyond the image on all sides.
  EXPECT_EQ(paste_mask(ones, 28, {-50, -50, 60, 60}, 6, 7).runs, (std::vector<uint32_t>{0, 42}));
  EXPECT_EQ(paste_mask(ones, 28, {20, 20, 30, 30}, 6, 7), empty_mask(6, 7));
}

TEST(PasteMask, WhatIsNoBoxOrNoNumberHasNoPixels) {
  const std::vector<float> ones(4, 1);
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                  kInfinity = std::numeric_limits<float>::infinity();
  for (const PasteBox& box : {PasteBox{1, 1, 1, 4}, PasteBox{3, 1, 2, 4}, PasteBox{0, 0, kNan, 4},
                              PasteBox{0, 0, kInfinity, 4}, PasteBox{-kInfinity, 0, 3, 4}}) {
    EXPECT_EQ(paste_mask(ones, 2, box, 5, 5), empty_mask(5, 5));
  }
  const std::vector<float> none(4, kNan);
  EXPECT_EQ(paste_mask(none, 2, {0, 0, 5, 5}, 5, 5), empty_mask(5, 5));
  EXPECT_EQ(mask_area(paste_mask(ones, 2, {-1e30F, -1e30F, 1e30F, 1e30F}, 5, 5)), 25);
  EXPECT_THROW(paste_mask(ones, 3, {0, 0, 5, 5}, 5, 5), std::logic_error);
  EXPECT_THROW(paste_mask(ones, 2, {0, 0, 5, 5}, 5, 5, 0), std::logic_error);
  EXPECT_THROW(paste_mask(ones, 2, {0, 0, 5, 5}, 0, 5), Error);
}

TEST(ImageBoxes, HaveOneFactorAndLeaveOutWhatIsEmpty) {
  // An image of 50 x 100 in a frame of 200 x 200: it is scaled by 2 and padded at the bottom.
  const std::vector<PasteBox> frame_boxes{{20, 10, 60, 30},
                                          {-4, 90, 300, 120},
                                          {0, 100, 10, 150},
                                          {8, 8, 8, 20},
                                          {std::numeric_limits<float>::quiet_NaN(), 0, 9, 9}};
  const std::vector<ImageBox> boxes = boxes_in_image(frame_boxes, 200, 200, 50, 100);
  ASSERT_EQ(boxes.size(), 2U);
  EXPECT_EQ(boxes[0].index, 0);
  EXPECT_EQ(boxes[0].box, (PasteBox{10, 5, 30, 15}));
  EXPECT_EQ(boxes[1].index, 1);
  EXPECT_EQ(boxes[1].box, (PasteBox{0, 45, 100, 50}));
  EXPECT_THROW(boxes_in_image(frame_boxes, 0, 200, 50, 100), std::logic_error);
}

}  // namespace
}  // namespace fcm::image
