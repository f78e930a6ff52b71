// Tests that need a GPU. Without a GPU they are skipped with the reason, or fail if
// FASTCONVMAE_REQUIRE_CUDA=1.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "fcm/ops/cuda/device.h"

namespace fcm::test {

// why: empty if there is a GPU. required: the value of FASTCONVMAE_REQUIRE_CUDA, may be null.
inline void skip_or_fail(const std::string& why, const char* required) {
  if (why.empty()) return;
  if (required != nullptr && std::string(required) == "1") {
    FAIL() << "FASTCONVMAE_REQUIRE_CUDA=1, but " << why;
  }
  GTEST_SKIP() << why;
}

// For SetUp: after a skip or failure there, GoogleTest does not run the test.
inline void need_gpu() {
  skip_or_fail(ops::why_no_cuda_device(), std::getenv("FASTCONVMAE_REQUIRE_CUDA"));
  if (ops::why_no_cuda_device().empty()) ops::use_cuda_device(0);
}

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override { need_gpu(); }
};

}  // namespace fcm::test
