// Sliding windows over an image, compared with a plain form in float64 that runs all windows,
// upsamples and adds their logits, divides by the number of windows, upsamples and takes the
// argmax.
#include "fcm/eval/slide.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "fcm/eval/slide_axis.h"
#include "tests/eval/synthetic.h"
#include "tests/support/compare.h"
#include "tests/support/error_of.h"

namespace fcm::eval {
namespace {

using Windows = std::vector<std::vector<int64_t>>;

SlideOptions square(int64_t crop, int64_t stride) { return {crop, crop, stride, stride, false}; }

Windows windows_of(int64_t rows, int64_t cols, const SlideOptions& options) {
  Windows all;
  for (const Window& window : slide_windows(rows, cols, options)) {
    all.push_back({window.top, window.left, window.rows, window.cols});
  }
  return all;
}

// A network whose logits depend on the position in the window, so that overlapping windows
// disagree: a convolution over 4 x 4 pixels, and a slope. Computes in the input's dtype.
struct SmallNetwork {
  at::Tensor weight_K344 = normal_numbers({7, 3, 4, 4}, 3);

  at::Tensor operator()(const at::Tensor& windows_NHWC) const {
    const at::Tensor weight = weight_K344.to(windows_NHWC.scalar_type());
    at::Tensor logits = at::conv2d(windows_NHWC.permute({0, 3, 1, 2}), weight, {}, {4, 4});
    const at::Tensor slope = at::arange(logits.size(3), logits.options()).mul(0.5);
    logits = logits + slope * at::arange(7, logits.options()).sub(3).view({1, 7, 1, 1});
    return logits.permute({0, 2, 3, 1});
  }
};

at::Tensor enlarged(const at::Tensor& x_NCHW, int64_t rows, int64_t cols) {
  return at::upsample_bilinear2d(x_NCHW, {rows, cols}, /*align_corners=*/false);
}

// [1, K, h, w], float64.
at::Tensor plain_logits(const at::Tensor& image_HWC, const SlideOptions& options) {
  const SmallNetwork network;
  const int64_t height = image_HWC.size(0), width = image_HWC.size(1);
  const at::Tensor image = image_HWC.to(at::kDouble);
  at::Tensor sum = at::zeros({1, 7, height, width}, at::kDouble);
  at::Tensor count = at::zeros({1, 1, height, width}, at::kDouble);
  const auto grids = [](int64_t n, int64_t crop, int64_t stride) {
    return std::max(n - crop + stride - 1, int64_t{0}) / stride + 1;
  };
  for (int64_t y = 0; y < grids(height, options.crop_rows, options.stride_rows); ++y) {
    for (int64_t x = 0; x < grids(width, options.crop_cols, options.stride_cols); ++x) {
      const int64_t bottom = std::min(y * options.stride_rows + options.crop_rows, height);
      const int64_t right = std::min(x * options.stride_cols + options.crop_cols, width);
      const int64_t top = std::max(bottom - options.crop_rows, int64_t{0});
      const int64_t left = std::max(right - options.crop_cols, int64_t{0});
      at::Tensor window = at::zeros({options.crop_rows, options.crop_cols, 3}, at::kDouble);
      window.slice(0, 0, bottom - top)
          .slice(1, 0, right - left)
          .copy_(image.slice(0, top, bottom).slice(1, left, right));
      const at::Tensor logits = enlarged(network(window.unsqueeze(0)).permute({0, 3, 1, 2}),
                                         options.crop_rows, options.crop_cols);
      sum.slice(2, top, bottom).slice(3, left, right) +=
          logits.slice(2, 0, bottom - top).slice(3, 0, right - left);
      count.slice(2, top, bottom).slice(3, left, right) += 1;
    }
  }
  return sum / count;
}

// The best class of each pixel, and the gap between its two best logits.
struct PlainMap {
  at::Tensor map_HW, gap_HW;
};

PlainMap plain_map(const at::Tensor& image_HWC, int64_t rows, int64_t cols,
                   const SlideOptions& options) {
  const at::Tensor logits = enlarged(plain_logits(image_HWC, options), rows, cols)[0];
  const auto [values, places] = logits.topk(2, 0);
  return {logits.argmax(0), values[0] - values[1]};
}

// Classes are compared only where the gap exceeds kSure. Below it, float32 rounding may change the
// order: a logit is a sum of 48 products of magnitude 1 and a slope term of magnitude up to 22.5.
constexpr double kSure = 1e-3;

int64_t wrong_pixels(const at::Tensor& map_HW, const PlainMap& wanted) {
  return map_HW.to(at::kLong)
      .ne(wanted.map_HW)
      .logical_and(wanted.gap_HW > kSure)
      .sum()
      .item<int64_t>();
}

struct Case {
  int64_t height, width, rows, cols;
  SlideOptions options;
};

const std::vector<Case> kCases = {
    {32, 32, 32, 32, square(32, 20)},  // one window, no resizing
    {32, 32, 47, 21, square(32, 20)},  // one window, another original size
    {100, 150, 133, 200, square(64, 43)},
    {64, 91, 64, 91, square(64, 43)},    // two windows, no resizing
    {50, 150, 77, 231, square(64, 43)},  // lower than the crop
    {50, 40, 50, 40, square(64, 43)},    // lower and narrower than the crop
    {5, 3, 11, 7, square(64, 43)},
    {1, 1, 1, 1, square(16, 16)},
    {70, 90, 35, 45, {32, 64, 11, 40, false}},  // crop and stride differ between rows and columns
    {64, 64, 64, 64, square(32, 32)},           // windows do not overlap
    {65, 33, 65, 33, square(32, 1)},            // up to 64 windows overlap
};

TEST(Slide, WindowsAreThoseOfThePublishedLoop) {
  const SlideOptions published;
  EXPECT_EQ(windows_of(512, 683, published), (Windows{{0, 0, 512, 512}, {0, 171, 512, 512}}));
  EXPECT_EQ(windows_of(683, 512, published), (Windows{{0, 0, 512, 512}, {171, 0, 512, 512}}));
  EXPECT_EQ(windows_of(512, 512, published), (Windows{{0, 0, 512, 512}}));
  EXPECT_EQ(windows_of(512, 854, published),
            (Windows{{0, 0, 512, 512}, {0, 341, 512, 512}, {0, 342, 512, 512}}));
  EXPECT_EQ(windows_of(300, 2048, published).size(), 6u);
  EXPECT_EQ(windows_of(300, 2048, published).back(), (std::vector<int64_t>{0, 1536, 300, 512}));
  SlideOptions whole;
  whole.whole = true;
  EXPECT_EQ(windows_of(300, 2048, whole), (Windows{{0, 0, 300, 2048}}));
}

TEST(Slide, LogitsEqualTheObviousForm) {
  for (const Case& one : kCases) {
    const at::Tensor image = normal_numbers({one.height, one.width, 3}, 5);
    const at::Tensor logits = slide_logits(image, one.options, 4, SmallNetwork());
    const at::Tensor wanted = plain_logits(image, one.options)[0].permute({1, 2, 0});
    // Interpolation positions, weights and the sums of up to 64 windows have errors of float32
    // rounding.
    const auto difference = test::compare(logits, wanted, 64 * 0x1p-23);
    EXPECT_EQ(difference.description, "") << one.height << " x " << one.width;
  }
}

TEST(Slide, MapsEqualTheObviousForm) {
  for (const Case& one : kCases) {
    const at::Tensor image = normal_numbers({one.height, one.width, 3}, 5);
    const PlainMap wanted = plain_map(image, one.rows, one.cols, one.options);
    const at::Tensor map = slide(image, one.rows, one.cols, one.options, 4, SmallNetwork());
    EXPECT_EQ(map.scalar_type(), at::kByte);
    ASSERT_EQ(map.sizes(), wanted.map_HW.sizes());
    EXPECT_EQ(wrong_pixels(map, wanted), 0) << one.height << " x " << one.width;
    EXPECT_GT((wanted.gap_HW > kSure).to(at::kDouble).mean().item<double>(), 0.98);
  }
}

TEST(Slide, AWrongStrideIsNoticed) {
  const at::Tensor image = normal_numbers({100, 150, 3}, 5);
  const PlainMap wanted = plain_map(image, 133, 200, square(64, 43));
  EXPECT_GT(wrong_pixels(slide(image, 133, 200, square(64, 42), 4, SmallNetwork()), wanted), 50);
}

// Negative control: upsampling the logits once, from a quarter of the size to the original size,
// differs from upsampling in two steps.
TEST(Slide, SkippingAStepIsNoticed) {
  const at::Tensor image = normal_numbers({64, 64, 3}, 5);
  const PlainMap wanted = plain_map(image, 90, 123, square(64, 43));
  EXPECT_EQ(wrong_pixels(slide(image, 90, 123, square(64, 43), 1, SmallNetwork()), wanted), 0);
  const at::Tensor small = SmallNetwork()(image.unsqueeze(0)).permute({0, 3, 1, 2});
  EXPECT_GT(wrong_pixels(enlarged(small, 90, 123)[0].argmax(0), wanted), 50);
}

TEST(Slide, TheSameBitsWithAnyBatchAndNumberOfThreads) {
  const at::Tensor image = normal_numbers({100, 150, 3}, 5);
  const at::Tensor wanted = slide(image, 133, 200, square(64, 43), 1, SmallNetwork());
  for (const int64_t batch : {2, 3, 6, 100}) {
    EXPECT_TRUE(
        test::same_bits(slide(image, 133, 200, square(64, 43), batch, SmallNetwork()), wanted));
  }
  const test::OneThread one;
  EXPECT_TRUE(test::same_bits(slide(image, 133, 200, square(64, 43), 2, SmallNetwork()), wanted));
}

TEST(Slide, CallsHoldUpToABatchOfWindowsOfTheCropsSize) {
  std::vector<int64_t> batches;
  const auto network = [&](const at::Tensor& windows_NHWC) {
    EXPECT_EQ(windows_NHWC.sizes().slice(1), (at::IntArrayRef{64, 64, 3}));
    EXPECT_TRUE(windows_NHWC.is_contiguous());
    batches.push_back(windows_NHWC.size(0));
    return SmallNetwork()(windows_NHWC);
  };
  slide(normal_numbers({50, 300, 3}, 5), 50, 300, square(64, 43), 4, network);
  EXPECT_EQ(batches, (std::vector<int64_t>{4, 3}));
}

TEST(Slide, WholeIsOneWindowContinuedToAMultipleOfSixteen) {
  SlideOptions whole;
  whole.whole = true;
  const auto network = [&](const at::Tensor& windows_NHWC) {
    EXPECT_EQ(windows_NHWC.sizes(), (at::IntArrayRef{1, 48, 64, 3}));
    EXPECT_EQ(windows_NHWC.slice(1, 33).abs().max().item<double>(), 0);
    return SmallNetwork()(windows_NHWC);
  };
  const at::Tensor image = normal_numbers({33, 64, 3}, 5);
  const at::Tensor map = slide(image, 33, 64, whole, 1, network);
  SlideOptions as_crop = square(48, 48);
  as_crop.crop_cols = as_crop.stride_cols = 64;
  EXPECT_EQ(wrong_pixels(map, plain_map(image, 33, 64, as_crop)), 0);
}

TEST(Slide, TheLowestOfEqualClassesWins) {
  const auto constant = [](const at::Tensor& windows_NHWC) {
    at::Tensor logits = at::zeros({windows_NHWC.size(0), 8, 8, 20});
    logits.select(3, 11).fill_(2);
    logits.select(3, 17).fill_(2);
    return logits;
  };
  for (const int64_t side : {32, 33}) {
    const at::Tensor map = slide(at::zeros({32, 32, 3}), side, side, square(32, 20), 1, constant);
    EXPECT_TRUE(map.eq(11).all().item<bool>());
  }
}

TEST(Slide, RefusesWhatCannotBeRight) {
  const at::Tensor image = at::zeros({40, 40, 3});
  const auto network = SmallNetwork();
  EXPECT_THROW(slide(image, 40, 40, square(32, 33), 1, network), std::logic_error);  // gaps
  EXPECT_THROW(slide(image, 40, 40, square(32, 0), 1, network), std::logic_error);
  EXPECT_THROW(slide(image, 40, 40, square(32, 20), 0, network), std::logic_error);
  EXPECT_THROW(slide(image, 0, 40, square(32, 20), 1, network), std::logic_error);
  EXPECT_THROW(slide(image.to(at::kByte), 40, 40, square(32, 20), 1, network), std::logic_error);
  const auto too_many = [](const at::Tensor& x) { return at::zeros({x.size(0), 8, 8, 256}); };
  EXPECT_THROW(slide(image, 40, 40, square(32, 20), 1, too_many), std::logic_error);
  const auto too_few = [](const at::Tensor&) { return at::zeros({1, 8, 8, 5}); };
  EXPECT_THROW(slide(image, 40, 40, square(32, 20), 4, too_few), std::logic_error);
}

TEST(Slide, NumbersThatAreNoneAreAnError) {
  for (const double value :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const auto broken = [&](const at::Tensor& x) {
      const at::Tensor logits = at::zeros({x.size(0), 8, 8, 5});
      logits[0][3][3][2].fill_(value);
      return logits;
    };
    EXPECT_NE(test::error_of(ExitCode::kNumeric,
                             [&] {
                               slide(at::zeros({32, 32, 3}), 32, 32, square(32, 20), 1, broken);
                             }),
              "");
  }
}

TEST(SlideAxis, TapsAreThoseOfTheFormula) {
  for (const auto& [from, to] : {std::pair{8, 32}, std::pair{15, 32}, std::pair{32, 15},
                                 std::pair{1, 9}, std::pair{9, 1}, std::pair{5, 5}}) {
    const at::Tensor values = normal_numbers({1, 1, from}, 1).to(at::kDouble);
    const at::Tensor wanted = at::upsample_linear1d(values, {to}, false);
    const std::vector<BilinearTap> taps = bilinear_taps(from, to);
    for (int64_t d = 0; d < to; ++d) {
      const BilinearTap& tap = taps[static_cast<size_t>(d)];
      const auto at_place = [&](int64_t place) { return values[0][0][place].item<double>(); };
      const double share = tap.share;
      EXPECT_NEAR((1 - share) * at_place(tap.low) + share * at_place(tap.high),
                  wanted[0][0][d].item<double>(), 1e-6)
          << from << " to " << to << " at " << d;
    }
  }
}

TEST(SlideAxis, FindsTheFirstOfTheLargest) {
  std::vector<float> values(37, -1);
  EXPECT_EQ(place_of_largest(values.data(), 37), 0);
  for (const size_t place : {0, 7, 8, 30, 36}) {
    std::vector<float> one = values;
    one[place] = one[36] = 5;
    EXPECT_EQ(place_of_largest(one.data(), 37), static_cast<int64_t>(place));
  }
  EXPECT_EQ(place_of_largest(values.data(), 1), 0);
}

}  // namespace
}  // namespace fcm::eval
