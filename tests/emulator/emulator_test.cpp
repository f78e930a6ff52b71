// Tests that the emulator detects bugs planted in kernels. Also tests device functions that all
// kernels share.
#include "tests/emulator/emulator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fcm/ops/cuda/place.h"
#include "tests/emulator/emulated.h"
// Device functions that all kernels use.
#include "fcm/ops/cuda/launch_error_cuda.cpp"
#include "fcm/ops/cuda/sum_parts.cu"
#include "fcm/ops/cuda/vector.h"

namespace fcm::ops {

bool cuda_is_emulated() { return test::emulator::emulating; }

namespace {

using test::emulator::Fault;
using test::emulator::GuardedMemory;

std::string fault_of(const std::function<void()>& task) {
  try {
    task();
  } catch (const Fault& fault) {
    return fault.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A kernel that reverses the values of a block through shared memory.
void reverse_block(float* values, bool with_barrier) {
  auto* shared = static_cast<float*>(shared_memory());
  const unsigned index = threadIdx.x, last = blockDim.x - 1;
  shared[index] = values[index];
  if (with_barrier) __syncthreads();
  values[index] = shared[last - index];
}

TEST(Emulator, ThreadsMeetAtBarriers) {
  std::vector<float> values(64);
  for (size_t i = 0; i < 64; ++i) values[i] = static_cast<float>(i);
  launch({"turn", 1, 1, 64, 64 * sizeof(float), nullptr}, reverse_block, values.data(), true);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(values[i], static_cast<float>(63 - i));
}

TEST(Emulator, AMissingBarrierLeavesItsMark) {
  for (int order = 0; order < 2; ++order) {  // one launch in forward order, one reversed
    std::vector<float> values(64, 1.0f);
    launch({"turn", 1, 1, 64, 64 * sizeof(float), nullptr}, reverse_block, values.data(), false);
    EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](float x) { return std::isnan(x); }));
  }
}

void part_of_a_block_waits(bool leave) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else if (!leave) {
    __syncthreads();
  }
}

TEST(Emulator, DivergedBarriersAreFaults) {
  for (const bool leave : {false, true}) {
    const std::string text = fault_of([&] {
      launch({"diverged", 2, 1, 64, 0, nullptr}, part_of_a_block_waits, leave);
    });
    EXPECT_TRUE(contains(text, "do not reach the same barrier")) << text;
    EXPECT_TRUE(contains(text, "thread 40")) << text;
  }
  // A launch after the fault works.
  std::vector<float> values(64, 2.0f);
  launch({"turn", 1, 1, 64, 64 * sizeof(float), nullptr}, reverse_block, values.data(), true);
  EXPECT_EQ(values[0], 2.0f);
}

void sum_of_lanes(float* out, unsigned mask, bool some) {
  const auto mine = static_cast<float>(threadIdx.x);
  if (some && threadIdx.x % 32 == 7) return;
  float sum = mine;
  for (int apart = 16; apart > 0; apart /= 2) sum += __shfl_xor_sync(mask, sum, apart);
  out[threadIdx.x] = sum;
}

TEST(Emulator, ShufflesReachTheirWarp) {
  std::vector<float> out(64);
  const LaunchShape shape{"lanes", 1, 1, 64, 0, nullptr};
  launch(shape, sum_of_lanes, out.data(), 0xffffffffu, false);
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(out[i], i < 32 ? 496.0f : 1520.0f);
  EXPECT_NE(fault_of([&] { launch(shape, sum_of_lanes, out.data(), 0xffffu, false); }), "");
  EXPECT_NE(fault_of([&] { launch(shape, sum_of_lanes, out.data(), 0xffffffffu, true); }), "");
}

void read_sixteen_bytes(const float* from, float* to, int64_t offset) {
  float held[4];
  load<float, 4>(from + offset, held);
  to[threadIdx.x] = held[3];
}

TEST(Emulator, AccessesMustBeAligned) {
  alignas(16) const float from[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<float> to(32);
  const LaunchShape shape{"read", 1, 1, 32, 0, nullptr};
  launch(shape, read_sixteen_bytes, static_cast<const float*>(from), to.data(), int64_t{4});
  EXPECT_EQ(to[31], 7);
  const std::string text = fault_of([&] {
    launch(shape, read_sixteen_bytes, static_cast<const float*>(from), to.data(), int64_t{1});
  });
  EXPECT_TRUE(contains(text, "not aligned")) << text;
}

void write_shared(int64_t offset, float* out) {
  auto* shared = static_cast<float*>(shared_memory());
  if (threadIdx.x == 0) shared[offset] = 1;
  __syncthreads();
  out[threadIdx.x] = shared[threadIdx.x];
}

TEST(Emulator, SharedMemoryIsWatchedAndBeginsAsNaN) {
  std::vector<float> out(32);
  const LaunchShape shape{"shared", 2, 1, 32, 32 * sizeof(float), nullptr};
  launch(shape, write_shared, int64_t{31}, out.data());
  EXPECT_EQ(out[31], 1);
  EXPECT_TRUE(std::isnan(out[0]));
  const std::string text = fault_of([&] { launch(shape, write_shared, int64_t{32}, out.data()); });
  EXPECT_TRUE(contains(text, "past the end of shared memory")) << text;
}

TEST(Emulator, ShapesThatNoGpuTakesAreRefused) {
  std::vector<float> values(64);
  const auto with = [&](int64_t blocks, int threads, size_t shared) {
    launch({"turn", blocks, 1, threads, shared, nullptr}, reverse_block, values.data(), true);
  };
  EXPECT_THROW(with(0, 64, 256), std::logic_error);
  EXPECT_THROW(with(1, 65, 512), std::logic_error);
  EXPECT_THROW(with(1, 2048, 8192), std::logic_error);
  EXPECT_THROW(with(1, 64, size_t{64} << 10), std::logic_error);
}

using GuardedMemoryDeathTest = testing::Test;

TEST(GuardedMemoryDeathTest, AnAccessOutsideEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto touch = [](int64_t offset) {
    const c10::DataPtr memory = GuardedMemory::get().allocate(64 * sizeof(float));
    auto* values = static_cast<volatile float*>(memory.get());
    EXPECT_TRUE(std::isnan(values[0]));
    values[offset] = 1;
  };
  touch(0);
  touch(63);
  EXPECT_DEATH(touch(64), "");
  EXPECT_DEATH(touch(-1024), "");
}

TEST(RoundPair, RoundsAsLibTorchDoes) {
  at::Tensor values = at::cat(
      {case_values({4000}, at::kFloat, 1, 1e3),
       at::tensor({0.0f, -0.0f, 1.00390625f, 1.01171875f, INFINITY, NAN, 3.4e38f, 1e-40f})});
  const at::Tensor wanted = values.to(at::kBFloat16).to(at::kFloat);
  for (int64_t i = 0; i < values.numel(); ++i) {
    const float got = rounded<Bfloat16>(values[i].item<float>());
    const float want = wanted[i].item<float>();
    EXPECT_TRUE(got == want || (std::isnan(got) && std::isnan(want))) << i;
  }
}

TEST(SumParts, AddsEveryPartOnce) {
  for (const int64_t count : {1, 15, 16, 17, 264}) {
    for (const int64_t columns : {1, 31, 32, 70}) {
      const at::Tensor parts = case_values({count, columns}, at::kDouble, 1);
      const test::emulator::EmulatedCuda emulated;
      const at::Tensor sums = at::empty({columns}, at::kDouble);
      sum_parts_cuda(parts.const_data_ptr<double>(), count, columns, sums.data_ptr<double>(),
                     nullptr);
      EXPECT_EQ(test::compare(sums, parts.sum(0), 1e-13).description, "");
    }
  }
}

}  // namespace
}  // namespace fcm::ops
