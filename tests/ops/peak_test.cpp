// Tests the measurement of the peak rates with which benchmark results are compared.
#include "fcm/ops/peak/peak.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "fcm/base/cores.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/simd/dispatch.h"

namespace fcm::ops {
namespace {

constexpr Isa kOfVectors[] = {Isa::kPlain, Isa::kAvx2, Isa::kAvx512};

const PeakKernels& kernels(Isa isa) { return pick(isa, peak_plain, peak_avx2, peak_avx512); }

TEST(Peak, EveryRoundIsDone) {
  for (const Isa isa : kOfVectors) {
    if (!can_run(isa)) continue;
    const auto multiply_adds = kernels(isa).float32.multiply_adds;
    // Chain i starts at i, and each round multiplies its distance from 1 by 3/4. The result is the
    // mean over the chains; the mean of i is 5.5.
    EXPECT_NEAR(multiply_adds(0), 5.5, 1e-5) << isa_name(isa);
    EXPECT_NEAR(multiply_adds(2), 1 + 4.5 * 0.5625, 1e-5) << isa_name(isa);
    EXPECT_NEAR(multiply_adds(100), 1, 1e-5) << isa_name(isa);
  }
}

TEST(Peak, EveryRoundOfBfloat16IsDone) {
  if (!has_bf16_instructions()) GTEST_SKIP() << "no bfloat16 instructions on this CPU";
  for (const int64_t rounds : {0, 1, 1000}) {
    EXPECT_EQ(peak_dot_bf16.multiply_adds(rounds), 2.0f * static_cast<float>(rounds));
    if (isa() < Isa::kAmx) continue;
    EXPECT_EQ(peak_tiles_amx.multiply_adds(rounds), 32.0f * static_cast<float>(rounds));
  }
}

TEST(Peak, CountsWhatARoundDoes) {
  EXPECT_EQ(peak_avx2.float32.flops_per_round, 2 * 12 * 8);
  EXPECT_EQ(peak_avx512.float32.flops_per_round, 2 * peak_avx2.float32.flops_per_round);
  EXPECT_EQ(peak_dot_bf16.flops_per_round, 24 * 16 * 2 * 2);
  EXPECT_EQ(peak_tiles_amx.flops_per_round, 4 * 16 * 16 * 32 * 2);
}

TEST(Peak, AllOfMemoryIsReadAndCopied) {
  const at::Tensor from = at::zeros({4096}), to = at::full({4096 + 64}, 7.0f);
  std::iota(from.data_ptr<float>(), from.data_ptr<float>() + 4096, 0.0f);
  for (const Isa isa : kOfVectors) {
    if (!can_run(isa)) continue;
    const PeakMemory& memory = kernels(isa).memory;
    EXPECT_EQ(memory.read(from.const_data_ptr<float>(), 4096), 4095 * 4096 / 2) << isa_name(isa);
    to.fill_(7);
    memory.copy(from.const_data_ptr<float>(), to.data_ptr<float>(), 4096);
    EXPECT_TRUE(to.narrow(0, 0, 4096).equal(from)) << isa_name(isa);
    EXPECT_TRUE(to.narrow(0, 4096, 64).eq(7).all().item<bool>()) << isa_name(isa);
  }
}

TEST(Peak, IsSomethingAProcessorCanDo) {
  std::vector<PeakThreads> all = {{}};
  for (const std::vector<int>& core : physical_cores()) all.push_back({core});
  for (const PeakThreads& threads : all) {
    for (const PeakUnit& unit : peak_units()) {
      const double flops = measure_multiply_adds(unit, threads);
      EXPECT_GT(flops, 1e8) << unit.by;
      EXPECT_LT(flops, 1e14) << unit.by;
    }
  }
  for (const double bytes : {measure_read(), measure_copy()}) {
    EXPECT_GT(bytes, 1e8);
    EXPECT_LT(bytes, 1e13);
  }
}

// A CPU without bfloat16 instructions uses its float32 units for bfloat16.
TEST(Peak, TheFirstUnitIsOfFloat32) {
  EXPECT_EQ(peak_units().front().type, at::kFloat);
  EXPECT_GT(peak_flops(at::kFloat), 1e8);
  EXPECT_GT(peak_flops(at::kBFloat16), 1e8);
}

}  // namespace
}  // namespace fcm::ops
