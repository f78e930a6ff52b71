// Tests the layer_norm kernels of every instruction set, and guarantees such as bits that do not
// depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "fcm/ops/cases.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

constexpr double kEpsilon = 1e-6;

class LayerNormIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  at::Tensor run(const test::Inputs& in) const {
    return layer_norm_with(GetParam(), in[0], in[1], in[2], kEpsilon);
  }
};

TEST_P(LayerNormIsaTest, EqualsTheReferenceInEveryWidthAndType) {
  // Widths around multiples of a vector, and widths whose rows do not fit in the registers.
  for (const int64_t channels : {1,  2,  4,  5,   15,  16,  17,  24,  31,  33,  48,
                                 64, 65, 96, 100, 127, 128, 129, 192, 250, 256, 1023}) {
    for (const auto dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
      const auto parameters = c10::promoteTypes(dtype, at::kFloat);
      const test::Inputs inputs = {(case_values({37, channels}, dtype, 1, 2) + 1).to(dtype),
                                   case_values({channels}, parameters, 2),
                                   case_values({channels}, parameters, 3)};
      const test::Inputs got =
          test::with_gradients([&](const auto& in) { return run(in); }, inputs);
      test::Inputs wide;
      for (const at::Tensor& input : inputs) wide.push_back(input.to(at::kDouble));
      const test::Inputs wanted = test::with_gradients(
          [](const auto& in) { return layer_norm_reference(in[0], in[1], in[2], kEpsilon); }, wide);
      double tolerance = dtype == at::kFloat ? 3e-6 : (dtype == at::kDouble ? 1e-12 : 1.6e-2);
      // With one or two channels, the variance of a row may be near zero; then rounding errors are
      // divided by little more than epsilon.
      if (channels <= 2 && dtype == at::kFloat) tolerance = 1e-3;
      for (size_t i = 0; i < got.size(); ++i) {
        if (channels <= 2 && i == 1) continue;  // dx is a difference of nearly equal values
        EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
            << channels << " channels, " << c10::toString(dtype) << ", tensor " << i;
      }
    }
  }
}

TEST_P(LayerNormIsaTest, LargeMeansCostNoDigits) {
  // x = 1000 + noise: the formula E[x^2] - E[x]^2 would lose half of the variance's digits.
  const at::Tensor x = case_values({64, 200}, at::kDouble, 4) + 1000;
  const at::Tensor weight = at::ones({200}), bias = at::zeros({200});
  const at::Tensor rounded = x.to(at::kFloat);
  const at::Tensor got = layer_norm_with(GetParam(), rounded, weight, bias, kEpsilon);
  const at::Tensor wanted = layer_norm_reference(rounded.to(at::kDouble), weight, bias, kEpsilon);
  EXPECT_EQ(compare(got, wanted, 1e-4).description, "");
  const at::Tensor from_squares =
      (rounded - rounded.mean(-1, true)) *
      ((rounded * rounded).mean(-1, true) - rounded.mean(-1, true).square() + kEpsilon).rsqrt();
  EXPECT_NE(compare(from_squares, wanted, 1e-4).description, "");  // negative control
}

TEST_P(LayerNormIsaTest, NotANumberStaysInItsRow) {
  at::Tensor x = case_values({6, 40}, at::kFloat, 5);
  x[2][39] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor y = layer_norm_with(GetParam(), x, at::ones({40}), at::zeros({40}), kEpsilon);
  EXPECT_TRUE(y[2].isnan().all().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<int64_t>(), 40);
}

INSTANTIATE_TEST_SUITE_P(All, LayerNormIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

TEST(LayerNorm, TheSameBitsForAnyNumberOfThreads) {
  const test::Inputs inputs = {case_values({9000, 24}, at::kFloat, 1),
                               case_values({24}, at::kFloat, 2), case_values({24}, at::kFloat, 3)};
  const auto run = [](const auto& in) { return layer_norm(in[0], in[1], in[2], kEpsilon); };
  const int before = at::get_num_threads();
  const test::Inputs many = test::with_gradients(run, inputs);
  at::set_num_threads(1);
  const test::Inputs one = test::with_gradients(run, inputs);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << i;
}

TEST(LayerNorm, TakesViewsAndExpandedGradients) {
  const at::Tensor x = case_values({12, 5, 24}, at::kFloat, 1).transpose(0, 1);
  const at::Tensor weight = case_values({24}, at::kFloat, 2),
                   bias = case_values({24}, at::kFloat, 3);
  at::Tensor leaf = x.detach();
  leaf.set_requires_grad(true);
  const at::Tensor y = layer_norm(leaf, weight, bias, kEpsilon);
  EXPECT_TRUE(same_bits(y, layer_norm(x.contiguous(), weight, bias, kEpsilon)));
  y.sum().backward();  // the gradient is an expanded scalar
  at::Tensor wide = x.detach().to(at::kDouble);
  wide.set_requires_grad(true);
  layer_norm_reference(wide, weight, bias, kEpsilon).sum().backward();
  EXPECT_EQ(compare(leaf.grad(), wide.grad(), 1e-5).description, "");
}

TEST(LayerNorm, RefusesWrongShapesAndTypes) {
  const at::Tensor x = at::zeros({3, 8});
  EXPECT_THROW(layer_norm(x, at::ones({7}), at::zeros({8}), kEpsilon), std::logic_error);
  EXPECT_THROW(layer_norm(x, at::ones({8}), at::zeros({9}), kEpsilon), std::logic_error);
  EXPECT_THROW(layer_norm(x.to(at::kHalf), at::ones({8}), at::zeros({8}), kEpsilon),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
