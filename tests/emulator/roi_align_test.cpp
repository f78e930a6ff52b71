// The CUDA kernels of roi_align on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/roi_align/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/cases.h"
#include "fcm/ops/roi_align/op.h"

namespace fcm::ops {
namespace {

TEST(EmulatedRoiAlign, EqualsTheReference) { test::emulator::expect_cases(roi_align_cases(), 2e5); }

// More boxes per map than a block has threads, so that threads take several rounds. Some boxes have
// no samples.
TEST(EmulatedRoiAlign, GathersFromManyBoxes) {
  const int64_t count = 150;
  const at::Tensor corner_R2 = case_values({count, 2}, at::kFloat, 1).mul(12).add(16);
  const at::Tensor boxes_R4 = at::cat(
      {corner_R2, corner_R2 + case_values({count, 2}, at::kFloat, 2).abs().mul(9).add(4)}, 1);
  boxes_R4[7][2] = std::numeric_limits<float>::quiet_NaN();
  boxes_R4[8][1] = -std::numeric_limits<float>::infinity();
  boxes_R4[9][3] = 1e9F;
  const at::Tensor image_R = at::arange(count, at::kLong).remainder(2);
  const at::Tensor level_R = at::zeros({count}, at::kLong);
  const test::TensorFunction run = [&](const test::Inputs& maps) {
    return roi_align(maps, boxes_R4, image_R, level_R, {.25}, 3);
  };
  const test::Inputs maps{case_values({2, 9, 10, 6}, at::kDouble, 3)};
  const test::Inputs wanted = test::with_gradients(run, maps);
  const test::emulator::EmulatedCuda emulated;
  const test::Inputs got = test::with_gradients(run, maps);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(test::compare(got[i], wanted[i], 1e-12).description, "") << i;
  }
  // Negative control: without some of the boxes, the gradient differs.
  boxes_R4.narrow(0, 20, 9).zero_();
  const test::Inputs without = test::with_gradients(run, maps);
  EXPECT_NE(test::compare(without[1], wanted[1], 1e-6).description, "");
}

}  // namespace
}  // namespace fcm::ops
