// The CUDA kernels of patch_depthwise_conv on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/patch_depthwise_conv/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/cases.h"
#include "fcm/ops/patch_depthwise_conv/launch.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::emulator::EmulatedCuda;

TEST(EmulatedPatchDepthwiseConv, EqualsTheReference) {
  test::emulator::expect_cases(patch_depthwise_conv_cases(), 1e5);
}

// If only one gradient is requested, it is the same as if all were, and the others are undefined.
TEST(EmulatedPatchDepthwiseConv, GivesEitherGradientAlone) {
  for (const OpCase& op_case : patch_depthwise_conv_cases().cases) {
    if (op_case.name != "channels_3" && op_case.name != "channels_19" && op_case.name != "side_3") {
      continue;
    }
    const OpCase::Inputs in = op_case.inputs(at::kFloat, 1);
    const at::Tensor &x = in[0], &weight = in[1];
    const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(x.size(2))));
    const patch_conv::Geometry geometry{
        in[3], at::arange(x.size(2), at::TensorOptions().dtype(at::kInt)), side};
    const patch_conv::Kernels& kernels = patch_conv::kernels_for(isa());
    const at::Tensor dy = case_values(x.sizes(), at::kFloat, 9);
    const EmulatedCuda emulated;
    const auto both = patch_conv::backward(kernels, dy, x, weight, geometry, true, true);
    const auto only_dx = patch_conv::backward(kernels, dy, x, weight, geometry, true, false);
    const auto only_sums = patch_conv::backward(kernels, dy, x, weight, geometry, false, true);
    EXPECT_TRUE(test::same_bits(only_dx.dx_BLPC, both.dx_BLPC)) << op_case.name;
    EXPECT_FALSE(only_dx.dweight_TC.defined());
    EXPECT_FALSE(only_sums.dx_BLPC.defined());
    EXPECT_TRUE(test::same_bits(only_sums.dweight_TC, both.dweight_TC)) << op_case.name;
    EXPECT_TRUE(test::same_bits(only_sums.dbias_C, both.dbias_C)) << op_case.name;
  }
}

// More patches than partial sums, so that each partial sum adds several patches.
TEST(EmulatedPatchDepthwiseConv, SumsOverPatchesOfSeveralRounds) {
  for (const int64_t side : {2, 3, 4}) {
    const int64_t rows = 601, cells = side * side;
    // Each image has one patch, which is connected only to itself.
    at::Tensor alone = at::full({rows, 1, 9}, -1, at::kInt);
    alone.select(2, 4).fill_(0);
    const patch_conv::Geometry geometry{
        alone, at::arange(cells, at::TensorOptions().dtype(at::kInt)), side};
    const at::Tensor x = case_values({rows, 1, cells, 3}, at::kDouble, 1),
                     dy = case_values({rows, 1, cells, 3}, at::kDouble, 2),
                     weight = case_values({25, 3}, at::kDouble, 3);
    const patch_conv::Kernels& kernels = patch_conv::kernels_for(isa());
    const auto run = [&] {
      return patch_conv::backward(kernels, dy, x, weight, geometry, true, true);
    };
    const patch_conv::Gradients wanted = run();
    const EmulatedCuda emulated;
    const patch_conv::Gradients got = run();
    EXPECT_EQ(compare(got.dx_BLPC, wanted.dx_BLPC, 1e-12).description, "") << side;
    EXPECT_EQ(compare(got.dweight_TC, wanted.dweight_TC, 1e-12).description, "") << side;
    EXPECT_EQ(compare(got.dbias_C, wanted.dbias_C, 1e-12).description, "") << side;
  }
}

// Negative control: removing an edge changes the result.
TEST(EmulatedPatchDepthwiseConv, AMissingEdgeIsNoticed) {
  for (const OpCase& op_case : patch_depthwise_conv_cases().cases) {
    if (op_case.name != "channels_3") continue;
    OpCase::Inputs in = op_case.inputs(at::kFloat, 1);
    const EmulatedCuda emulated;
    const at::Tensor whole = op_case.run(in);
    in[3] = in[3].clone();
    // The edge between the first patch and its right neighbour, in both directions.
    const auto right = in[3][0][0][5].item<int64_t>();
    in[3][0][0][5] = -1;
    in[3][0][right][3] = -1;
    EXPECT_NE(compare(op_case.run(in), whole, 1e-4).description, "");
  }
}

}  // namespace
}  // namespace fcm::ops
