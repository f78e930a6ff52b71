// Tests every algorithm of linear: the kernels of each instruction set, and LibTorch's products.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/ops/cases.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

test::Inputs make_inputs(int64_t rows, int64_t inputs, int64_t outputs, at::ScalarType dtype) {
  return {case_values({rows, inputs}, dtype, 1), case_values({outputs, inputs}, dtype, 2, 0.1),
          case_values({outputs}, dtype, 3)};
}

void expect_close(const test::Inputs& got, const test::Inputs& inputs, double tolerance) {
  test::Inputs wide;
  for (const at::Tensor& input : inputs) wide.push_back(input.to(at::kDouble));
  const test::Inputs wanted = test::with_gradients(
      [](const auto& in) { return linear_reference(in[0], in[1], in[2]); }, wide);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
        << "x " << inputs[0].sizes() << ", weight " << inputs[1].sizes() << ", tensor " << i;
  }
}

class LinearIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;  // its destructor restores the number of threads

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
};

// Sizes around multiples of tiles (12 rows; 2 or 3 vectors), row blocks (96), depth blocks (256).
TEST_P(LinearIsaTest, EqualsTheReferenceForEverySize) {
  const auto own = [&](const auto& in) { return linear_with(GetParam(), in[0], in[1], in[2]); };
  for (const auto& [rows, inputs, outputs] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                                                 {5, 3, 2},
                                                                                 {11, 16, 16},
                                                                                 {12, 17, 31},
                                                                                 {13, 24, 96},
                                                                                 {96, 33, 32},
                                                                                 {97, 32, 33},
                                                                                 {100, 48, 48},
                                                                                 {256, 47, 49},
                                                                                 {257, 144, 48},
                                                                                 {300, 255, 65},
                                                                                 {25, 256, 13},
                                                                                 {26, 257, 11},
                                                                                 {27, 513, 70},
                                                                                 {110, 700, 130},
                                                                                 {1100, 9, 7},
                                                                                 {40, 20, 410}}) {
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      const test::Inputs in = make_inputs(rows, inputs, outputs, dtype);
      expect_close(test::with_gradients(own, in), in, dtype == at::kFloat ? 2e-6 : 1e-12);
    }
  }
}

TEST_P(LinearIsaTest, NotANumberStaysInItsRow) {
  test::Inputs in = make_inputs(30, 20, 18, at::kFloat);
  in[0][7][19] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor y = linear_with(GetParam(), in[0], in[1], in[2]);
  EXPECT_TRUE(y[7].isnan().all().item<bool>());
  EXPECT_EQ(y.isnan().sum().item<int64_t>(), 18);
}

TEST_P(LinearIsaTest, TwoRunsGiveTheSameBits) {
  const auto own = [&](const auto& in) { return linear_with(GetParam(), in[0], in[1], in[2]); };
  const test::Inputs in = make_inputs(2100, 24, 96, at::kFloat);
  const test::Inputs first = test::with_gradients(own, in), second = test::with_gradients(own, in);
  for (size_t i = 0; i < first.size(); ++i) EXPECT_TRUE(same_bits(first[i], second[i])) << i;
}

INSTANTIATE_TEST_SUITE_P(All, LinearIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

TEST(LinearLibrary, EqualsTheReference) {
  const auto library = [](const auto& in) { return linear_library(in[0], in[1], in[2]); };
  const test::Inputs in = make_inputs(70, 40, 30, at::kFloat);
  expect_close(test::with_gradients(library, in), in, 2e-6);
}

// Negative control: if one term of each sum is omitted, the error far exceeds the tolerance.
TEST(LinearControls, AMissingTermIsSeen) {
  const test::Inputs in = make_inputs(70, 300, 30, at::kDouble);
  at::Tensor weight = in[1].clone();
  weight.select(1, 299).fill_(0);
  EXPECT_NE(
      compare(linear_reference(in[0], weight, in[2]), linear_reference(in[0], in[1], in[2]), 1e-3)
          .description,
      "");
}

TEST(Linear, GradientsComeInTheTypeOfTheWeights) {
  const test::Inputs start =
      test::leaves({case_values({50, 24}, at::kBFloat16, 1), case_values({16, 24}, at::kFloat, 2),
                    case_values({16}, at::kFloat, 3)});
  const at::Tensor y = linear(start[0], start[1], start[2]);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  y.sum().backward();
  EXPECT_EQ(start[0].grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(start[1].grad().scalar_type(), at::kFloat);
  EXPECT_EQ(start[2].grad().scalar_type(), at::kFloat);
  EXPECT_TRUE(start[2].grad().equal(at::full({16}, 50.0f)));
}

TEST_P(LinearIsaTest, NarrowProductsAreTheSameBitsForAnyThreads) {
  const auto run = [&](const auto& in) { return linear_with(GetParam(), in[0], in[1], in[2]); };
  const test::Inputs in = make_inputs(3000, 24, 96, at::kFloat);
  std::vector<test::Inputs> all;
  for (const int threads : {1, 2, 7}) {
    at::set_num_threads(threads);
    all.push_back(test::with_gradients(run, in));
  }
  for (size_t i = 0; i < in.size() + 1; ++i) {
    EXPECT_TRUE(same_bits(all[0][i], all[1][i])) << i;
    EXPECT_TRUE(same_bits(all[0][i], all[2][i])) << i;
  }
}

TEST(Linear, LeadingDimensionsAndViews) {
  const at::Tensor x = case_values({4, 6, 24}, at::kFloat, 1);
  const at::Tensor weight = case_values({10, 24}, at::kFloat, 2), bias = at::zeros({10});
  const at::Tensor y = linear(x, weight, bias);
  EXPECT_EQ(y.sizes(), (at::IntArrayRef{4, 6, 10}));
  EXPECT_TRUE(same_bits(linear(x.transpose(0, 1), weight, bias),
                        linear(x.transpose(0, 1).contiguous(), weight, bias)));
  EXPECT_EQ(linear(x[0][0], weight, bias).sizes(), (at::IntArrayRef{10}));
}

TEST(Linear, RefusesWrongShapes) {
  EXPECT_THROW(linear(at::zeros({3, 8}), at::zeros({4, 7}), at::zeros({4})), std::logic_error);
  EXPECT_THROW(linear(at::zeros({3, 8}), at::zeros({4, 8}), at::zeros({5})), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
