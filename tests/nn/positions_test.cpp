#include "fcm/nn/positions.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "fcm/nn/layers.h"

namespace fcm::nn {
namespace {

// The cubic convolution kernel (Keys, 1981) with a = -0.75, as in PyTorch.
double cubic(double distance) {
  const double x = std::abs(distance), a = -0.75;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

// The interpolation weight of each old position in each new one, [to, from]. Positions beyond the
// edge have the value of the edge.
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

// A cubic spline through points of a cubic polynomial is this polynomial, wherever the knots are.
TEST(ResizeRelativeTable, KeepsACubicOfItsOwnPositions) {
  const int64_t from = 6, to = 7;
  // The positions that resizing assigns to the old entries when windows of 6 become windows of 7: a
  // geometric series with steps q^i.
  const double q = 1.0912812995910643;
  std::vector<double> places{0};
  for (int64_t i = 0; i + 1 < from; ++i) {
    places.push_back(places.back() + std::pow(q, static_cast<double>(i)));
  }
  const auto value = [](double row, double col) {
    return row * row * row - 2 * row * col + 3 * col * col - col + 1;
  };
  const auto place = [&](int64_t i) {
    return i < 0 ? -places[static_cast<size_t>(-i)] : places[static_cast<size_t>(i)];
  };
  at::Tensor table = at::empty({121, 1}, at::kDouble);
  for (int64_t row = 1 - from; row < from; ++row) {
    for (int64_t col = 1 - from; col < from; ++col) {
      table[(row + from - 1) * 11 + col + from - 1][0] = value(place(row), place(col));
    }
  }
  const at::Tensor resized = resize_relative_table(table, from, to);
  ASSERT_EQ(resized.sizes(), (std::vector<int64_t>{169, 1}));
  for (int64_t row = 1 - to; row < to; ++row) {
    for (int64_t col = 1 - to; col < to; ++col) {
      EXPECT_NEAR(resized[(row + to - 1) * 13 + col + to - 1][0].item<double>(),
                  value(static_cast<double>(row), static_cast<double>(col)), 1e-2)
          << row << " " << col;  // the bisection for q moves the outermost position by 8e-6
    }
  }
}

TEST(ResizeRelativeTable, OfTheSameWindowIsTheSameTable) {
  const at::Tensor table = at::randn({121, 4});
  EXPECT_TRUE(resize_relative_table(table, 6, 6).is_same(table));
  EXPECT_THROW(resize_relative_table(table, 7, 6), std::logic_error);
}

}  // namespace
}  // namespace fcm::nn
