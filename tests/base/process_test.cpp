#include "fcm/base/process.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace fcm {
namespace {

TEST(Process, ThePeakKnowsMemoryThatWasGivenBackUntilItIsReset) {
  constexpr size_t kBytes = 64 << 20;
  const double before = resident_bytes();
  ASSERT_GT(before, 1e6);
  void* const memory =
      ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  EXPECT_GE(resident_bytes(), before + 0.9 * kBytes);
  ::munmap(memory, kBytes);
  EXPECT_LE(resident_bytes(), before + 0.5 * kBytes);
  const double peak = peak_resident_bytes();
  EXPECT_GE(peak, before + 0.9 * kBytes);
  EXPECT_GT(usable_memory_bytes(), peak);
  if (!reset_peak_resident()) GTEST_SKIP() << "the system cannot reset the peak";
  EXPECT_LE(peak_resident_bytes(), peak - 0.5 * kBytes);
}

}  // namespace
}  // namespace fcm
