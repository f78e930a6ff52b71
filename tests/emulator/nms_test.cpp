// The CUDA kernel of nms on the emulator.
#include "tests/emulator/emulated.h"
// Source of the kernel.
#include "fcm/ops/nms/cuda.cu"
// Operators that launch the kernel.
#include "fcm/ops/cases.h"
#include "fcm/ops/nms/op.h"

namespace fcm::ops {
namespace {

TEST(EmulatedNms, EqualsTheReference) { test::emulator::expect_cases(nms_cases(), 5e3); }

// Groups of one box, of fewer boxes than a round handles, and of several rounds; some overlaps
// equal the threshold.
TEST(EmulatedNms, GivesTheIndicesOfTheProcessor) {
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const int64_t count = 60 + static_cast<int64_t>(seed) * 110;
    const at::Tensor corner_N2 = case_values({count, 2}, at::kDouble, seed).mul(6).round();
    const at::Tensor sides_N2 = case_values({count, 2}, at::kDouble, seed + 10).mul(3).round() + 4;
    const at::Tensor boxes_N4 = at::cat({corner_N2, corner_N2 + sides_N2}, 1).to(at::kFloat);
    const at::Tensor scores_N = case_values({count}, at::kFloat, seed + 20).mul(8).round();
    const at::Tensor groups_N = at::arange(count, at::kLong).pow(2).remainder(1 + 2 * seed);
    const auto run = [&](const at::Tensor& groups, double threshold) {
      return nms(boxes_N4, scores_N, groups, threshold);
    };
    for (const double threshold : {0., .5, .7}) {
      const at::Tensor one = run({}, threshold), several = run(groups_N, threshold);
      const test::emulator::EmulatedCuda emulated;
      EXPECT_TRUE(at::equal(run({}, threshold), one)) << seed << " " << threshold;
      EXPECT_TRUE(at::equal(run(groups_N, threshold), several)) << seed << " " << threshold;
      EXPECT_EQ(at::equal(one, several), seed == 0) << seed;  // negative control: groups matter
    }
  }
}

}  // namespace
}  // namespace fcm::ops
