// Tests float32 products that AMX computes as sums of products of bfloat16 parts: their accuracy
// compared with ordinary float32 products, and values at the ends of the range.
#include "fcm/ops/linear/tiled_products.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "fcm/ops/cases.h"
#include "fcm/ops/linear/products.h"
#include "tests/support/compare.h"

namespace fcm::ops {
namespace {

class TiledProductsTest : public testing::Test {
 protected:
  const test::OneThread one_thread_;
  void SetUp() override {
    if (!can_run(Isa::kAmx)) GTEST_SKIP() << "no AMX on this CPU";
  }
};

struct ProductErrors {
  double rms = 0, most = 0;
};

// The error of each element relative to the sum of the magnitudes of its terms.
ProductErrors product_errors(const at::Tensor& got, const at::Tensor& a_MK,
                             const at::Tensor& b_KN) {
  const at::Tensor a = a_MK.to(at::kDouble), b = b_KN.to(at::kDouble);
  const at::Tensor error = (got.to(at::kDouble) - a.mm(b)) / (a.abs().mm(b.abs()) + 1e-300);
  return {error.square().mean().sqrt().item<double>(), error.abs().max().item<double>()};
}

// Distributions of the factors. kPositive makes sums that grow with their length. kMixed,
// kWidelyMixed and kRowsApart mix magnitudes within a sum or between rows. kFewDigits and kNearOne
// have values whose bits are mostly in one of the bfloat16 parts.
enum class Kind { kNormal, kPositive, kMixed, kWidelyMixed, kRowsApart, kFewDigits, kNearOne };
constexpr Kind kKinds[] = {Kind::kNormal,    Kind::kPositive,  Kind::kMixed,  Kind::kWidelyMixed,
                           Kind::kRowsApart, Kind::kFewDigits, Kind::kNearOne};

at::Tensor numbers(Kind kind, at::IntArrayRef sizes, uint64_t seed) {
  const at::Tensor normal = case_values(sizes, at::kDouble, seed);
  const auto powers = [&](at::IntArrayRef of, double octaves) {
    return (case_values(of, at::kDouble, seed + 50) * octaves).exp2();
  };
  switch (kind) {
    case Kind::kNormal:
      break;
    case Kind::kPositive:
      return normal.abs();
    case Kind::kMixed:
      return normal * powers(sizes, 4);
    case Kind::kWidelyMixed:
      return normal * powers(sizes, 10);
    case Kind::kRowsApart:
      return normal * powers({sizes[0], 1}, 10);
    case Kind::kFewDigits:
      return (normal * 8).round();
    case Kind::kNearOne:
      return 1 + normal * 1e-4;
  }
  return normal;
}

// a_MK @ b_KN. For Isa::kAmx it is the tiled product, also at sizes for which the library would
// choose another kernel.
at::Tensor product(OwnKernels own, const at::Tensor& a_MK, const at::Tensor& b_KN) {
  if (own != Isa::kAmx) return product_with_bias(own, a_MK, b_KN, at::Tensor());
  const at::Tensor y_MN = at::empty({a_MK.size(0), b_KN.size(1)}, a_MK.options());
  tiled_product(a_MK, b_KN, at::Tensor(), /*onto_y=*/false, y_MN);
  return y_MN;
}

at::Tensor weight_gradient(OwnKernels own, const at::Tensor& dy_MO, const at::Tensor& x_MI) {
  return (own == Isa::kAmx ? tiled_gradients(dy_MO, x_MI) : weight_gradients(own, dy_MO, x_MI))
      .first;
}

constexpr OwnKernels kProducts[] = {Isa::kAmx, Isa::kAvx512, std::nullopt};
using Multiply = std::function<at::Tensor(OwnKernels, const at::Tensor&, const at::Tensor&)>;

// Errors of the three products in kProducts over eight random draws: the mean of rms errors and the
// largest error. A single draw would not be representative for sums of few terms.
std::array<ProductErrors, 3> errors_of_ways(Kind kind, at::IntArrayRef a_sizes,
                                            at::IntArrayRef b_sizes, bool a_transposed,
                                            const Multiply& multiply) {
  std::array<ProductErrors, 3> all;
  constexpr uint64_t kDraws = 8;
  for (uint64_t draw = 0; draw < kDraws; ++draw) {
    const at::Tensor a = numbers(kind, a_sizes, 100 * draw + 1).to(at::kFloat);
    const at::Tensor b = numbers(kind, b_sizes, 100 * draw + 2).to(at::kFloat);
    for (size_t way = 0; way < all.size(); ++way) {
      const ProductErrors one = product_errors(multiply(kProducts[way], a, b),
                                               a_transposed ? a.t() : a, a_transposed ? b : b.t());
      all[way].rms += one.rms / static_cast<double>(kDraws);
      all[way].most = std::max(all[way].most, one.most);
    }
  }
  return all;
}

// The tiled product may not be less accurate than the other ways. Margins allow for random errors.
void expect_tiles_not_above(const std::array<ProductErrors, 3>& ways) {
  for (size_t way = 1; way < ways.size(); ++way) {
    EXPECT_LE(ways[0].rms, 1.02 * ways[way].rms) << way;
    EXPECT_LE(ways[0].most, 1.2 * ways[way].most) << way;
  }
}

std::string text_of(const std::array<ProductErrors, 3>& ways) {
  return fmt::format("rms {:.2e} {:.2e} {:.2e}, most {:.2e} {:.2e} {:.2e} (AMX, AVX-512, library)",
                     ways[0].rms, ways[1].rms, ways[2].rms, ways[0].most, ways[1].most,
                     ways[2].most);
}

TEST_F(TiledProductsTest, AreAsExactAsMultiplyAddsOfFloat32) {
  for (const Kind kind : kKinds) {
    for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
             {48, 32, 32}, {48, 256, 32}, {33, 768, 40}, {32, 3072, 32}, {32, 9000, 16}}) {
      const auto ways = errors_of_ways(kind, {m, k}, {n, k}, false, [](auto own, auto& x, auto& w) {
        return product(own, x, w.t());
      });
      SCOPED_TRACE(
          fmt::format("kind {}, {} x {} x {}: {}", static_cast<int>(kind), m, k, n, text_of(ways)));
      expect_tiles_not_above(ways);
    }
  }
}

TEST_F(TiledProductsTest, WeightGradientsAreAsExactAsMultiplyAddsOfFloat32) {
  for (const Kind kind : kKinds) {
    for (const auto& [outputs, inputs] : {std::pair<int64_t, int64_t>{24, 50}, {50, 24}}) {
      const auto ways =
          errors_of_ways(kind, {3000, outputs}, {3000, inputs}, true,
                         [](auto own, auto& dy, auto& x) { return weight_gradient(own, dy, x); });
      SCOPED_TRACE(
          fmt::format("kind {}, {} outputs: {}", static_cast<int>(kind), outputs, text_of(ways)));
      expect_tiles_not_above(ways);
    }
  }
}

// Negative control: the error reveals that the last 8 of the 24 significant bits are missing.
TEST_F(TiledProductsTest, AMissingPieceWouldBeSeen) {
  const at::Tensor x_MK = numbers(Kind::kNormal, {96, 256}, 1).to(at::kFloat);
  const at::Tensor b_KN = numbers(Kind::kNormal, {256, 64}, 2).to(at::kFloat);
  const at::Tensor shorter = x_MK.view(at::kInt).bitwise_and(~0xff).view(at::kFloat);
  EXPECT_GT(product_errors(product(Isa::kAmx, shorter, b_KN), x_MK, b_KN).rms,
            4 * product_errors(product(Isa::kAvx512, x_MK, b_KN), x_MK, b_KN).rms);
}

// Non-finite factors give non-finite results; an infinity may become NaN. The largest float32
// values may become NaN too, because they exceed the largest bfloat16 value.
TEST_F(TiledProductsTest, WhatIsNotFiniteStaysSo) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const at::Tensor b_KN = numbers(Kind::kNormal, {40, 50}, 2).to(at::kFloat);
  for (const float bad :
       {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(),
        std::numeric_limits<float>::signaling_NaN(), std::numeric_limits<float>::max()}) {
    at::Tensor x_MK = numbers(Kind::kNormal, {60, 40}, 1).to(at::kFloat);
    x_MK[17][33] = bad;
    for (const at::Tensor& y : {product(Isa::kAmx, x_MK, b_KN),
                                product(Isa::kAmx, b_KN.t().contiguous(), x_MK.t()).t()}) {
      EXPECT_FALSE(y[17].isfinite().any().item<bool>()) << bad;
      EXPECT_EQ(y.isfinite().logical_not().sum().item<int64_t>(), 50) << bad;
    }
  }
  const at::Tensor large = at::full({60, 40}, 3e38f), two_KN = at::full({40, 50}, 2.0f);
  EXPECT_TRUE(product(Isa::kAmx, large, two_KN).isinf().all().item<bool>());
  EXPECT_TRUE(product(Isa::kAmx, large, two_KN * 1e-3).isfinite().all().item<bool>());
}

// AMX flushes values below 2^-126 to 0, so each factor may lose up to 2^-126 per bfloat16 part.
TEST_F(TiledProductsTest, SmallNumbersLoseNoMoreThanTheSmallestNormalNumber) {
  const double smallest = std::numeric_limits<float>::min();
  const at::Tensor b_KN = numbers(Kind::kNormal, {40, 50}, 2).to(at::kFloat);
  for (const double size : {1e-30, 1e-34, 1e-37, 1e-40}) {
    const at::Tensor x_MK = (numbers(Kind::kNormal, {60, 40}, 1) * size).to(at::kFloat);
    const at::Tensor wanted = x_MK.to(at::kDouble).mm(b_KN.to(at::kDouble));
    const at::Tensor error = (product(Isa::kAmx, x_MK, b_KN).to(at::kDouble) - wanted).abs();
    const at::Tensor allowed =
        2 * smallest * (1 + b_KN.to(at::kDouble).abs().sum(0)) + 2e-7 * size * 40;
    EXPECT_TRUE((error <= allowed).all().item<bool>()) << size;
  }
}

// Sizes around multiples of tiles and strips. With few outputs the kernel computes the transposed
// weight gradient.
TEST_F(TiledProductsTest, Bfloat16EqualsTheReferenceForEverySize) {
  for (const auto& [m, k, n] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 1}, {31, 33, 65}, {64, 32, 16}, {70, 100, 40}, {33, 1000, 17}, {900, 40, 90}}) {
    const at::Tensor x_MK = case_values({m, k}, at::kBFloat16, 1);
    const at::Tensor b_NK = case_values({n, k}, at::kBFloat16, 2);
    const at::Tensor bias_N = case_values({n}, at::kBFloat16, 3);
    const at::Tensor dy_MN = case_values({m, n}, at::kBFloat16, 4);
    const auto wide = [](const at::Tensor& t) { return t.to(at::kDouble); };
    SCOPED_TRACE(fmt::format("{} x {} x {}", m, k, n));
    const at::Tensor wanted = wide(x_MK).mm(wide(b_NK).t()) + wide(bias_N);
    EXPECT_EQ(test::compare(product_with_bias(Isa::kAmx, x_MK, b_NK.t(), bias_N), wanted, 4e-3)
                  .description,
              "");
    const at::Tensor onto = dy_MN.clone();
    add_product(Isa::kAmx, x_MK, b_NK.t(), onto);
    EXPECT_EQ(test::compare(onto, wide(x_MK).mm(wide(b_NK).t()) + wide(dy_MN), 4e-3).description,
              "");
    EXPECT_EQ(test::compare(product(Isa::kAmx, dy_MN, b_NK), wide(dy_MN).mm(wide(b_NK)), 4e-3)
                  .description,
              "");
    const auto [dweight, dbias] = weight_gradients(Isa::kAmx, dy_MN, x_MK);
    EXPECT_EQ(dweight.scalar_type(), at::kFloat);
    EXPECT_EQ(test::compare(dweight, wide(dy_MN).t().mm(wide(x_MK)), 1e-6).description, "");
    EXPECT_EQ(test::compare(dbias, wide(dy_MN).sum(0), 1e-6).description, "");
  }
}

TEST_F(TiledProductsTest, TheSameBitsForOneToFourThreads) {
  const at::Tensor x = case_values({700, 420}, at::kFloat, 1),
                   w = case_values({500, 420}, at::kFloat, 2);
  const at::Tensor dy = case_values({700, 500}, at::kFloat, 3);
  std::vector<at::Tensor> first;
  for (const int threads : {1, 2, 3, 4}) {
    at::set_num_threads(threads);
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      const auto [dweight, dbias] = weight_gradients(Isa::kAmx, dy.to(type), x.to(type));
      for (const at::Tensor& got : {product(Isa::kAmx, x.to(type), w.to(type).t()),
                                    product(Isa::kAmx, dy.to(type), w.to(type)), dweight, dbias}) {
        if (threads == 1) {
          first.push_back(got);
        } else {
          EXPECT_TRUE(test::same_bits(got, first.front())) << threads;
          first.push_back(first.front());
          first.erase(first.begin());
        }
      }
    }
  }
}

}  // namespace
}  // namespace fcm::ops
