#include "fcm/nn/positions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fcm/nn/layers.h"

namespace fcm::nn {
namespace {

// Keys' kernel with a = -0.75, which PyTorch uses.
double cubic(double distance) {
  const double x = std::abs(distance), a = -0.75;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// [to, from]: the weight of each old place in each new one. Places beyond the edge repeat it.
at::Tensor weights(int64_t from, int64_t to) {
  at::Tensor table = at::zeros({to, from}, at::kDouble);
  auto values = table.accessor<double, 2>();
  for (int64_t place = 0; place < to; ++place) {
    const double centre =
        (static_cast<double>(place) + 0.5) * static_cast<double>(from) / static_cast<double>(to) -
        0.5;
    const auto first = static_cast<int64_t>(std::floor(centre)) - 1;
    for (int64_t tap = first; tap < first + 4; ++tap) {
      values[place][std::clamp<int64_t>(tap, 0, from - 1)] +=
          cubic(centre - static_cast<double>(tap));
    }
  }
  return table;
}

TEST(ResizePositions, IsBicubicAndLeavesClassTokensAlone) {
  at::manual_seed(1);
  const at::Tensor table = at::randn({1, 1 + 4 * 5, 3}, at::kDouble);
  const at::Tensor resized = resize_positions(table, 4, 5, 7, 3);
  EXPECT_EQ(resized.sizes(), (std::vector<int64_t>{1, 1 + 7 * 3, 3}));
  EXPECT_TRUE(resized.select(1, 0).equal(table.select(1, 0)));
  const at::Tensor map = table[0].narrow(0, 1, 20).view({4, 5, 3});
  const at::Tensor wanted =
      at::einsum("ab,bdc,ed->aec", {weights(4, 7), map, weights(5, 3)}).reshape({21, 3});
  EXPECT_TRUE(resized[0].narrow(0, 1, 21).allclose(wanted, 1e-12, 1e-13));
}

TEST(ResizePositions, SameGridIsTheSameTable) {
  const at::Tensor table = sincos_positions(14, 14, 16);
  EXPECT_TRUE(resize_positions(table, 14, 14, 14, 14).is_same(table));
}

TEST(ResizePositions, AGridOfAnotherTableIsRefused) {
  EXPECT_THROW(resize_positions(at::zeros({1, 15, 4}), 4, 4, 2, 2), std::logic_error);
}

}  // namespace
}  // namespace fcm::nn
