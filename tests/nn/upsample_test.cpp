// Resized maps equal LibTorch's.
#include "fcm/nn/upsample.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/gradcheck.h"

namespace fcm::nn {
namespace {

at::Tensor nchw(const at::Tensor& map_BHWC) { return map_BHWC.permute({0, 3, 1, 2}); }
at::Tensor nhwc(const at::Tensor& map_BCHW) { return map_BCHW.permute({0, 2, 3, 1}); }

struct Sizes {
  int64_t rows, cols, to_rows, to_cols;
};

TEST(Upsample, IsTheLibrarysBilinearFilter) {
  for (const Sizes& s : {Sizes{15, 15, 32, 32},
                         {1, 1, 6, 4},
                         {2, 3, 4, 6},
                         {16, 16, 9, 13},
                         {7, 5, 7, 10},
                         {5, 9, 61, 50}}) {
    const at::Tensor x = test::fixed_normal({2, s.rows, s.cols, 3}, 1);
    const auto ours = [&](const test::Inputs& in) { return upsample(in[0], s.to_rows, s.to_cols); };
    const auto library = [&](const test::Inputs& in) {
      return nhwc(at::upsample_bilinear2d(nchw(in[0]), {s.to_rows, s.to_cols}, false));
    };
    const test::Inputs got = test::with_gradients(ours, {x});
    const test::Inputs wanted = test::with_gradients(library, {x});
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(test::compare(got[i], wanted[i], 1e-12).description, "")
          << s.rows << " x " << s.cols << " to " << s.to_rows << " x " << s.to_cols;
    }
  }
}

TEST(Upsample, HasTheBordersOfTheHalfPixelRule) {
  const std::vector<LinearTap> taps = bilinear_taps(2, 4);
  EXPECT_EQ(taps[0].first, 0);
  EXPECT_EQ(taps[0].share, 0);  // the position -0.25 is clamped to 0
  EXPECT_EQ(taps[1].share, 0.25);
  EXPECT_EQ(taps[3].first, 1);
  EXPECT_EQ(taps[3].second, 1);  // index 2 is clamped to 1
}

TEST(Upsample, PoolsAdaptively) {
  for (const int64_t side : {1, 2, 3, 6}) {
    for (const Sizes& s : {Sizes{15, 15, 0, 0}, {2, 4, 0, 0}, {1, 1, 0, 0}, {7, 3, 0, 0}}) {
      const at::Tensor x = test::fixed_normal({2, s.rows, s.cols, 3}, 2);
      const auto ours = [&](const test::Inputs& in) { return adaptive_pool(in[0], side); };
      const auto library = [&](const test::Inputs& in) {
        return nhwc(at::adaptive_avg_pool2d(nchw(in[0]), {side, side}));
      };
      const test::Inputs got = test::with_gradients(ours, {x});
      const test::Inputs wanted = test::with_gradients(library, {x});
      for (size_t i = 0; i < got.size(); ++i) {
        EXPECT_EQ(test::compare(got[i], wanted[i], 1e-12).description, "") << side;
      }
    }
  }
}

TEST(Upsample, KeepsTheTypeAndRoundsOnce) {
  const at::Tensor x = test::fixed_normal({1, 15, 15, 4}, 3).to(at::kBFloat16);
  const at::Tensor y = upsample(x, 32, 32);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_EQ(test::compare(y, upsample(x.to(at::kDouble), 32, 32), 0x1p-8).description, "");
  EXPECT_NE(test::compare(y, upsample(x.to(at::kDouble), 32, 32).flip(1), 0x1p-8).description, "");
}

}  // namespace
}  // namespace fcm::nn
