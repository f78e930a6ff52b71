// The multiply-adds that products are held against.
#include "fcm/ops/peak/peak.h"

#include <gtest/gtest.h>

#include "fcm/ops/peak/kernel.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

const PeakKernel& kernel(Isa isa) { return pick(isa, peak_plain, peak_avx2, peak_avx512); }

TEST(Peak, EveryRoundIsDone) {
  for (const Isa isa : {Isa::kPlain, Isa::kAvx2, Isa::kAvx512}) {
    if (!can_run(isa)) continue;
    // chain i starts at i and keeps three quarters of its distance from 1 each round; i
    // averages 5.5
    EXPECT_NEAR(kernel(isa).multiply_adds(0), 5.5, 1e-5) << isa_name(isa);
    EXPECT_NEAR(kernel(isa).multiply_adds(2), 1 + 4.5 * 0.5625, 1e-5) << isa_name(isa);
    EXPECT_NEAR(kernel(isa).multiply_adds(100), 1, 1e-5) << isa_name(isa);
  }
}

TEST(Peak, CountsWhatARoundDoes) {
  EXPECT_EQ(peak_avx2.flops_per_round, 2 * 12 * 8);
  EXPECT_EQ(peak_avx512.flops_per_round, 2 * peak_avx2.flops_per_round);
}

TEST(Peak, IsSomethingAProcessorCanDo) {
  const double flops = measure_fma_flops(isa());
  EXPECT_GT(flops, 1e8);
  EXPECT_LT(flops, 1e14);
}

}  // namespace
}  // namespace fcm::ops
