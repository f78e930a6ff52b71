// The CUDA kernels of layer_norm on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/layer_norm/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/cases.h"
#include "fcm/ops/layer_norm/passes.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::emulator::EmulatedCuda;

TEST(EmulatedLayerNorm, EqualsTheReference) {
  test::emulator::expect_cases(layer_norm_cases(), 5e5);
}

// Backward that adds the gradient of the residual connection, in every width with its own kernel.
TEST(EmulatedLayerNorm, AddsTheResidualGradient) {
  for (const int64_t channels : {5, 24, 128, 256, 384, 520, 768, 1024, 1032}) {
    for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
      const auto wide = c10::promoteTypes(dtype, at::kFloat);
      const at::Tensor x = case_values({21, channels}, dtype, 1, 2) + 1,
                       dy = case_values({21, channels}, dtype, 2),
                       plus = case_values({21, channels}, dtype, 3, 3),
                       weight = case_values({channels}, wide, 4), bias = at::zeros_like(weight);
      const auto run = [&](const at::Tensor& around) {
        const Normalised normed = layer_norm_forward(isa(), x, weight, bias, 1e-6);
        return layer_norm_backward(isa(), dy, x, weight, normed.statistics_2M, around);
      };
      const LayerNormGradients wanted = run(plus);
      const EmulatedCuda emulated;
      const LayerNormGradients got = run(plus), without = run({});
      const double tolerance = dtype == at::kDouble ? 1e-13 : (dtype == at::kFloat ? 1e-6 : 8e-3);
      EXPECT_EQ(compare(got.dx, wanted.dx, tolerance).description, "") << channels << dtype;
      EXPECT_EQ(compare(got.dweight_C, wanted.dweight_C, 1e-5).description, "") << channels;
      EXPECT_EQ(compare(got.dbias_C, wanted.dbias_C, 1e-5).description, "") << channels;
      EXPECT_NE(compare(without.dx, wanted.dx, tolerance).description, "");  // negative control
    }
  }
}

// More rows than the grid has warps, so that each warp takes several.
TEST(EmulatedLayerNorm, SumsOverRowsOfSeveralRounds) {
  for (const int64_t channels : {8, 7}) {
    const at::Tensor x = case_values({5003, channels}, at::kDouble, 1, 2),
                     dy = case_values({5003, channels}, at::kDouble, 2),
                     weight = case_values({channels}, at::kDouble, 4);
    const auto run = [&] {
      const at::Tensor statistics =
          layer_norm_forward(isa(), x, weight, weight, 1e-6).statistics_2M;
      return layer_norm_backward(isa(), dy, x, weight, statistics);
    };
    const LayerNormGradients wanted = run();
    const EmulatedCuda emulated;
    const LayerNormGradients got = run();
    EXPECT_EQ(compare(got.dx, wanted.dx, 1e-12).description, "") << channels;
    EXPECT_EQ(compare(got.dweight_C, wanted.dweight_C, 1e-12).description, "") << channels;
    EXPECT_EQ(compare(got.dbias_C, wanted.dbias_C, 1e-12).description, "") << channels;
  }
}

// Parameters inside a flat buffer need not be aligned to 16 bytes.
TEST(EmulatedLayerNorm, TakesWeightsAtAnyAddress) {
  const EmulatedCuda emulated;
  const at::Tensor x = case_values({9, 256}, at::kFloat, 1),
                   flat = case_values({513}, at::kFloat, 2);
  const at::Tensor weight = flat.narrow(0, 1, 256), bias = flat.narrow(0, 257, 256);
  const at::Tensor got = layer_norm_forward(isa(), x, weight, bias, 1e-6).y;
  const at::Tensor wanted = layer_norm_forward(isa(), x, weight.clone(), bias.clone(), 1e-6).y;
  EXPECT_EQ(compare(got, wanted, 1e-6).description, "");
}

}  // namespace
}  // namespace fcm::ops
