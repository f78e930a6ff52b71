// Compares the training targets of mask heads with sampling pixel by pixel.
#include "fcm/image/mask_target.h"

#include <gtest/gtest.h>

#include <cmath>

#include "fcm/image/polygon_raster.h"
#include "tests/image/mask_support.h"

namespace fcm::image {
namespace {

using Box4 = std::array<float, 4>;

double pixel_at(const test::ByteMask& mask, double y, double x) {
  if (y < -1 || y > static_cast<double>(mask.rows) || x < -1 ||
      x > static_cast<double>(mask.cols)) {
    return 0;
  }
  const auto split = [](double at, int64_t size) {
    at = std::max(at, 0.0);
    auto low = static_cast<int64_t>(at);
    int64_t high = low + 1;
    if (low >= size - 1) {
      low = high = size - 1;
      at = static_cast<double>(low);
    }
    return std::tuple(low, high, at - static_cast<double>(low));
  };
  const auto [top, bottom, down] = split(y, mask.rows);
  const auto [left, right, across] = split(x, mask.cols);
  return (1 - down) * ((1 - across) * mask.at(top, left) + across * mask.at(top, right)) +
         down * ((1 - across) * mask.at(bottom, left) + across * mask.at(bottom, right));
}

// RoIAlign of the mask: the mean over all samples of each bin.
std::vector<double> sampled_shares(const test::ByteMask& mask, const Box4& box, int64_t side) {
  const double x0 = double{box[0]} - .5, y0 = double{box[1]} - .5;
  const double width = (double{box[2]} - .5 - x0) / static_cast<double>(side);
  const double height = (double{box[3]} - .5 - y0) / static_cast<double>(side);
  const auto across = static_cast<int64_t>(std::ceil(width));
  const auto down = static_cast<int64_t>(std::ceil(height));
  std::vector<double> shares;
  for (int64_t i = 0; i < side; ++i) {
    for (int64_t j = 0; j < side; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < down; ++p) {
        for (int64_t q = 0; q < across; ++q) {
          const double y = y0 + (static_cast<double>(i) +
                                 (static_cast<double>(p) + .5) / static_cast<double>(down)) *
                                    height;
          const double x = x0 + (static_cast<double>(j) +
                                 (static_cast<double>(q) + .5) / static_cast<double>(across)) *
                                    width;
          sum += pixel_at(mask, y, x);
        }
      }
      shares.push_back(sum / static_cast<double>(std::max<int64_t>(across * down, 1)));
    }
  }
  return shares;
}

TEST(MaskTarget, OfAMaskIsHalfOfTheSamples) {
  int64_t set = 0, compared = 0;
  for (uint64_t number = 0; number < 600; ++number) {
    KeyedRandom random(8, Purpose::kSynthetic, 0, number);
    const auto rows = 1 + static_cast<int64_t>(random.below(60));
    const auto cols = 1 + static_cast<int64_t>(random.below(60));
    const test::ByteMask mask = test::synthetic_mask(number, rows, cols);
    const auto side = 1 + static_cast<int64_t>(random.below(28));
    Box4 box;
    for (float& place : box) place = 70 * random.uniform() - 8;
    if (number % 4 != 0) {
      if (box[0] > box[2]) std::swap(box[0], box[2]);
      if (box[1] > box[3]) std::swap(box[1], box[3]);
    }
    if (number % 5 == 0) {
      for (float& place : box) place = std::round(place);
    }
    const std::vector<double> shares = sampled_shares(mask, box, side);
    const std::vector<uint8_t> got = mask_target(test::encoded(mask), box, side);
    ASSERT_EQ(got.size(), shares.size());
    for (size_t i = 0; i < got.size(); ++i) {
      if (std::abs(shares[i] - .5) < 1e-5) continue;  // rounding of float32 coordinates decides
      ASSERT_EQ(got[i] != 0, shares[i] > .5) << number << ", cell " << i << ": " << shares[i];
      ++compared;
      set += got[i];
    }
  }
  EXPECT_GT(set, compared / 20);
  EXPECT_LT(set, compared / 2);
}

TEST(MaskTarget, HalfIsEnough) {
  // Each bin is two columns wide, and one of the two is set.
  test::ByteMask mask{4, 8, {}};
  for (int i = 0; i < 32; ++i) mask.bytes.push_back(i % 2 == 0 ? 1 : 0);
  EXPECT_EQ(mask_target(test::encoded(mask), {0, 0, 8, 4}, 4), std::vector<uint8_t>(16, 1));
  mask.bytes.assign(32, 0);
  EXPECT_EQ(mask_target(test::encoded(mask), {0, 0, 8, 4}, 4), std::vector<uint8_t>(16, 0));
}

TEST(MaskTarget, OfOutlinesIsTheirRasterInTheBox) {
  const std::vector<std::vector<double>> parts{{10, 10, 20, 10, 20, 30, 10, 30},
                                               {15, 20, 40, 20, 40, 30}};
  const Box4 box{10, 10, 38, 38};  // 28 x 28 pixels, so the target is not scaled
  const RunLengths whole = raster_polygons(parts, 64, 64);
  const std::vector<uint8_t> bytes = decode_mask(whole), got = mask_target(parts, box, 28);
  for (size_t row = 0; row < 28; ++row) {
    for (size_t col = 0; col < 28; ++col) {
      ASSERT_EQ(got[row * 28 + col], bytes[(row + 10) * 64 + col + 10]) << row << ", " << col;
    }
  }
  // A box that is not square is stretched to 28 x 28.
  EXPECT_EQ(mask_target(std::span(parts).first(1), {10, 10, 20, 30}, 28),
            std::vector<uint8_t>(28 * 28, 1));
  EXPECT_EQ(mask_target(parts, {50, 50, 60, 60}, 28), std::vector<uint8_t>(28 * 28, 0));
}

TEST(MaskTarget, BoxesWithoutAWidthAreAsATenthOfAPixel) {
  const std::vector<std::vector<double>> parts{{0, 0, 30, 0, 30, 30, 0, 30}};
  EXPECT_EQ(mask_target(parts, {5, 5, 5, 5}, 7), std::vector<uint8_t>(49, 1));
  const RunLengths mask = raster_polygons(parts, 40, 40);
  EXPECT_EQ(mask_target(mask, {5, 5, 5, 5}, 7),
            std::vector<uint8_t>(49, 0));  // bins have no samples
  EXPECT_EQ(mask_target(mask, {5, 5, 4, 9}, 7), std::vector<uint8_t>(49, 0));
}

}  // namespace
}  // namespace fcm::image
