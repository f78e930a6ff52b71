// The CUDA kernels of gelu on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/gelu/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/cases.h"
#include "fcm/ops/gelu/op.h"
#include "fcm/ops/gelu/passes.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::emulator::EmulatedCuda;

TEST(EmulatedGelu, EqualsTheReference) { test::emulator::expect_cases(gelu_cases(), 2e5); }

// For negative x, results are small and the formula with 1 + erf would cancel.
TEST(EmulatedGelu, KeepsItsRelativeErrorInTheTails) {
  const at::Tensor x = at::linspace(-12.5, 12.5, 4000, at::kFloat);
  const at::Tensor wanted = gelu_reference(x.to(at::kDouble));
  const EmulatedCuda emulated;
  const at::Tensor got = gelu_forward(isa(), x).to(at::kDouble);
  EXPECT_LT(((got - wanted) / wanted).abs().max().item<double>(), 1e-6);
}

// Tests the passes that a model's blocks use: GELU after a product, and backward that recomputes
// the value.
TEST(EmulatedGelu, PassesEqualThoseOfTheProcessor) {
  for (const int64_t channels : {3, 8, 40, 1024}) {
    for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
      const double tolerance = dtype == at::kDouble ? 1e-14 : (dtype == at::kFloat ? 1e-6 : 8e-3);
      const at::Tensor x = case_values({37, channels}, dtype, 1, 2),
                       dy = case_values({37, channels}, dtype, 2),
                       bias = case_values({channels}, c10::promoteTypes(dtype, at::kFloat), 3);
      const at::Tensor wanted_x = x.clone(), wanted_dx = dy.clone();
      const at::Tensor wanted_y = gelu_of_product(isa(), wanted_x, bias);
      const GeluRecomputed wanted_again = gelu_backward_recompute(isa(), wanted_dx, wanted_x);
      const EmulatedCuda emulated;
      const at::Tensor got_x = x.clone(), got_dx = dy.clone();
      const at::Tensor got_y = gelu_of_product(isa(), got_x, bias);
      const GeluRecomputed got_again = gelu_backward_recompute(isa(), got_dx, got_x);
      EXPECT_TRUE(test::same_bits(got_x, wanted_x)) << channels << dtype;
      EXPECT_TRUE(test::same_bits(got_again.y_MC, got_y)) << channels << dtype;
      EXPECT_EQ(compare(got_y, wanted_y, tolerance).description, "") << channels << dtype;
      EXPECT_EQ(compare(got_again.y_MC, wanted_again.y_MC, tolerance).description, "");
      EXPECT_EQ(compare(got_dx, wanted_dx, tolerance).description, "") << channels << dtype;
      // On the CPU, the matrix product with dx computes the column sums, so this pass has none.
      EXPECT_FALSE(wanted_again.sums_C.defined());
      const at::Tensor sums = wanted_dx.to(at::kDouble).sum(0);
      const double of_sums = dtype == at::kDouble ? 1e-13 : (dtype == at::kFloat ? 1e-5 : 2e-2);
      EXPECT_EQ(compare(got_again.sums_C, sums, of_sums).description, "") << channels << dtype;
      EXPECT_NE(compare(got_again.sums_C, sums - wanted_dx[36], of_sums).description, "");
      const at::Tensor moved = gelu_of_product(isa(), x.clone(), bias.roll(1));
      EXPECT_NE(compare(moved, wanted_y, tolerance).description, "");  // negative control
    }
  }
}

// More rows than the grid has warps, so that each warp takes several. Two runs give equal bits.
TEST(EmulatedGelu, SumsColumnsOverRowsOfSeveralRounds) {
  const test::OneThread one_thread;
  const at::Tensor x = case_values({5003, 24}, at::kBFloat16, 1, 2),
                   dy = case_values({5003, 24}, at::kBFloat16, 2);
  const at::Tensor wide = x.to(at::kDouble).requires_grad_();
  const at::Tensor wanted =
      torch::autograd::grad({gelu_reference(wide)}, {wide}, {dy.to(at::kDouble)})[0].sum(0);
  const EmulatedCuda emulated;
  const at::Tensor got = gelu_backward_recompute(isa(), dy.clone(), x).sums_C;
  EXPECT_EQ(compare(got, wanted, 1e-3).description, "");
  EXPECT_TRUE(test::same_bits(got, gelu_backward_recompute(isa(), dy.clone(), x).sums_C));
}

}  // namespace
}  // namespace fcm::ops
