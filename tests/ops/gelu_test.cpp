// Tests the gelu kernels of every instruction set: the error over the whole range, limits, special
// values.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "fcm/ops/cases.h"
#include "fcm/ops/gelu/op.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

// Inputs of all magnitudes: a fine grid where the function is curved, and powers of ten.
at::Tensor whole_range() {
  const at::Tensor grid = at::linspace(-12.5, 12.5, 100001, at::kDouble);
  const at::Tensor small = at::logspace(-20, 0, 2001, 10, at::kDouble);
  return at::cat({grid, small, -small, at::tensor({20.0, 1e10, 1e30, -20.0, -1e10, -1e30})})
      .to(at::kFloat);
}

struct Errors {
  double relative;           // of the value, unless it is subnormal
  double absolute_gradient;  // the derivative lies between -0.13 and 1.13
};

template <class Function>
Errors errors_of(const Function& function, at::ScalarType dtype,
                 const at::Tensor& x = whole_range()) {
  const test::Inputs start = test::leaves({x.to(dtype)});
  const test::Inputs wide = test::leaves(start, at::kDouble);
  const at::Tensor got = function(start[0]), wanted = gelu_reference(wide[0]);
  const at::Tensor ones = at::ones_like(wanted);
  const at::Tensor slope = test::gradients(got, start, ones)[0].to(at::kDouble);
  const at::Tensor wanted_slope = test::gradients(wanted, wide, ones)[0];
  const at::Tensor relative = ((got.to(at::kDouble) - wanted) / wanted).abs();
  return {relative.masked_select(wanted.abs() > 1e-36).max().item<double>(),
          (slope - wanted_slope).abs().max().item<double>()};
}

class GeluIsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  at::Tensor run(const at::Tensor& x) const { return gelu_with(GetParam(), x); }
};

// fcm/ops/gelu/README.md lists the measured errors; the bounds are slightly above them.
TEST_P(GeluIsaTest, KeepsItsRelativeErrorInTheTails) {
  const auto own = [&](const at::Tensor& x) { return run(x); };
  const Errors single = errors_of(own, at::kFloat);
  EXPECT_LT(single.relative, 5e-7);
  EXPECT_LT(single.absolute_gradient, 3e-7);
  const Errors half = errors_of(own, at::kBFloat16);
  EXPECT_LT(half.relative, 1.05 * 0x1p-8);  // rounding to bfloat16 alone has errors up to 2^-8
  EXPECT_LT(half.absolute_gradient, 1.05 * 0x1p-8);
  EXPECT_LT(errors_of(own, at::kDouble).relative, 1e-13);
}

TEST(GeluErrors, SeeACarelessFormula) {
  // 1 + erf cancels in the lower tail; the tanh approximation is another function.
  const auto erf = [](const at::Tensor& x) { return x * 0.5 * (1 + at::erf(x * M_SQRT1_2)); };
  EXPECT_GT(errors_of(erf, at::kFloat).relative, 1e-2);
  const auto tanh = [](const at::Tensor& x) { return at::gelu(x, "tanh"); };
  EXPECT_GT(errors_of(tanh, at::kFloat, at::linspace(-6, 6, 1000)).absolute_gradient, 1e-4);
}

TEST_P(GeluIsaTest, SpecialValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor x =
      at::tensor({0.0f, -0.0f, infinity, std::numeric_limits<float>::quiet_NaN(), 1e30f, -1e30f,
                  -15.0f, std::numeric_limits<float>::denorm_min()});
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor y = run(x.to(dtype)).to(at::kFloat);
    const auto* value = y.const_data_ptr<float>();
    EXPECT_EQ(value[0], 0.0f);
    EXPECT_EQ(value[1], 0.0f);
    EXPECT_EQ(value[2], infinity);
    EXPECT_TRUE(std::isnan(value[3]));
    EXPECT_EQ(value[4], x.to(dtype)[4].item<float>());
    EXPECT_EQ(value[5], 0.0f);
    EXPECT_NEAR(value[6], 0.0f, 1e-37f);
    EXPECT_NEAR(value[7], 0.0f, 1e-37f);
  }
}

TEST_P(GeluIsaTest, RemaindersAreNeitherLostNorOverrun) {
  for (int64_t count = 1; count <= 40; ++count) {
    for (const auto dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = case_values({count}, dtype, static_cast<uint64_t>(count), 2);
      const at::Tensor wanted = gelu_reference(x.to(at::kDouble));
      const double tolerance = dtype == at::kFloat ? 1e-6 : 8e-3;
      EXPECT_EQ(test::compare(run(x), wanted, tolerance).description, "") << count;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GeluIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

TEST(Gelu, TakesViewsAndRefusesIntegers) {
  const at::Tensor x = case_values({6, 10}, at::kFloat, 1);
  EXPECT_TRUE(test::same_bits(ops::gelu(x.t()), ops::gelu(x.t().contiguous())));
  EXPECT_THROW(ops::gelu(x.to(at::kLong)), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
