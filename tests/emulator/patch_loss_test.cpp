// The CUDA kernels of patch_loss on the emulator.
#include "tests/emulator/emulated.h"
// Sources of the kernels.
#include "fcm/ops/patch_loss/cuda.cu"
// Operators that launch the kernels.
#include "fcm/ops/cases.h"
#include "fcm/ops/patch_loss/op.h"

namespace fcm::ops {
namespace {

TEST(EmulatedPatchLoss, EqualsTheReference) {
  test::emulator::expect_cases(patch_loss_cases(), 2e6);
}

// More rows than the grid has warps, so that some warps take several; with a negative control.
TEST(EmulatedPatchLoss, SumsRowsOfSeveralRounds) {
  const at::Tensor slots = at::arange(1500).view({1, -1}).remainder(64);
  const at::Tensor predictions = case_values({6, 1, 1500, 8}, at::kFloat, 1),
                   targets = case_values({6, 64, 8}, at::kFloat, 2);
  const at::Tensor wanted =
      patch_loss_reference(predictions.to(at::kDouble), targets.to(at::kDouble), slots);
  const test::emulator::EmulatedCuda emulated;
  const at::Tensor got = patch_loss(predictions, targets, slots);
  EXPECT_EQ(test::compare(got, wanted, 1e-6).description, "");
  const at::Tensor moved = patch_loss(predictions, targets, slots.roll(1));
  EXPECT_NE(test::compare(moved, wanted, 1e-6).description, "");
}

}  // namespace
}  // namespace fcm::ops
