// The kernels of gelu for CUDA, on the emulator.
#include "tests/emulator/emulated.h"
// The kernels themselves.
#include "fcm/ops/gelu/cuda.cu"
// Operators that take them.
#include "fcm/ops/gelu/cases.h"
#include "fcm/ops/gelu/op.h"
#include "fcm/ops/gelu/passes.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::emulator::EmulatedCuda;

TEST(EmulatedGelu, EqualsTheReference) { test::emulator::expect_cases(gelu_cases(), 2e5); }

// Small values for negative x, where 1 + erf has no digits left.
TEST(EmulatedGelu, KeepsItsRelativeErrorInTheTails) {
  const at::Tensor x = at::linspace(-12.5, 12.5, 4000, at::kFloat);
  const at::Tensor wanted = gelu_reference(x.to(at::kDouble));
  const EmulatedCuda emulated;
  const at::Tensor got = gelu_forward(isa(), x).to(at::kDouble);
  EXPECT_LT(((got - wanted) / wanted).abs().max().item<double>(), 1e-6);
}

// What blocks of a model call: behind a product, and on the way back with the value made again.
TEST(EmulatedGelu, PassesEqualThoseOfTheProcessor) {
  for (const int64_t channels : {3, 8, 40, 1024}) {
    for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
      const double tolerance = dtype == at::kDouble ? 1e-14 : (dtype == at::kFloat ? 1e-6 : 8e-3);
      const at::Tensor x = case_values({37, channels}, dtype, 1, 2),
                       dy = case_values({37, channels}, dtype, 2),
                       bias = case_values({channels}, c10::promoteTypes(dtype, at::kFloat), 3);
      const at::Tensor wanted_x = x.clone(), wanted_dx = dy.clone();
      const at::Tensor wanted_y = gelu_of_product(isa(), wanted_x, bias);
      const at::Tensor wanted_again = gelu_backward_again(isa(), wanted_dx, wanted_x);
      const EmulatedCuda emulated;
      const at::Tensor got_x = x.clone(), got_dx = dy.clone();
      const at::Tensor got_y = gelu_of_product(isa(), got_x, bias);
      const at::Tensor got_again = gelu_backward_again(isa(), got_dx, got_x);
      EXPECT_TRUE(test::same_bits(got_x, wanted_x)) << channels << dtype;
      EXPECT_TRUE(test::same_bits(got_again, got_y)) << channels << dtype;
      EXPECT_EQ(compare(got_y, wanted_y, tolerance).description, "") << channels << dtype;
      EXPECT_EQ(compare(got_again, wanted_again, tolerance).description, "") << channels << dtype;
      EXPECT_EQ(compare(got_dx, wanted_dx, tolerance).description, "") << channels << dtype;
      const at::Tensor moved = gelu_of_product(isa(), x.clone(), bias.roll(1));
      EXPECT_NE(compare(moved, wanted_y, tolerance).description, "");  // the control
    }
  }
}

}  // namespace
}  // namespace fcm::ops
