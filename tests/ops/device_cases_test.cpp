// Compares every operator on a GPU with its reference in float64 on the CPU.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "tests/ops/op_case_list.h"
#include "tests/support/gpu.h"
#include "tests/support/op_case_results.h"

namespace fcm::ops {
namespace {

using test::evaluate;
using test::expect_close;
using test::reference_results;
using test::Results;

OpCase::Inputs on(at::Device device, const OpCase::Inputs& inputs) {
  OpCase::Inputs there;
  for (const at::Tensor& input : inputs) there.push_back(input.to(device));
  return test::leaves(there);
}

Results on_cpu(Results results) {
  results.forward = results.forward.cpu();
  for (at::Tensor& gradient : results.gradients) {
    if (gradient.defined()) gradient = gradient.cpu();
  }
  return results;
}

class GpuCasesTest : public testing::TestWithParam<NamedCase> {
 protected:
  void SetUp() override { test::need_gpu(); }

  void expect_close_in(at::ScalarType dtype, double tolerance, double gradient_tolerance) {
    const OpCase& op_case = GetParam().op_case;
    const Results own =
        on_cpu(evaluate(op_case.run, on(at::kCUDA, op_case.inputs(dtype, 1)), dtype));
    EXPECT_EQ(own.forward.scalar_type(), dtype);
    expect_close(own, reference_results(op_case, dtype), tolerance, gradient_tolerance, dtype);
  }
};

TEST_P(GpuCasesTest, Float32IsCloseToTheReference) {
  const Tolerance& tolerance = GetParam().tolerance;
  expect_close_in(at::kFloat, tolerance.float32 + GetParam().op_case.float32_of_scores,
                  tolerance.float32_gradient);
}

TEST_P(GpuCasesTest, Bfloat16IsCloseToTheReference) {
  const Tolerance& tolerance = GetParam().tolerance;
  expect_close_in(at::kBFloat16, tolerance.bfloat16, tolerance.bfloat16_gradient);
}

TEST_P(GpuCasesTest, TwoRunsGiveTheSameBits) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto run = [&] {
      const OpCase& op_case = GetParam().op_case;
      return on_cpu(evaluate(op_case.run, on(at::kCUDA, op_case.inputs(dtype, 1)), dtype));
    };
    const Results first = run(), second = run();
    EXPECT_TRUE(test::same_bits(first.forward, second.forward)) << c10::toString(dtype);
    for (size_t input = 0; input < first.gradients.size(); ++input) {
      if (!first.gradients[input].defined()) continue;
      EXPECT_TRUE(test::same_bits(first.gradients[input], second.gradients[input]))
          << "gradient of input " << input << " in " << c10::toString(dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuCasesTest, testing::ValuesIn(cases_to_compare()), name_of);

TEST(NeedGpu, SkippingTurnsIntoFailureWhereAGpuIsRequired) {
  EXPECT_FATAL_FAILURE(test::skip_or_fail("no GPU here", "1"), "no GPU here");
  test::skip_or_fail("", "1");
}

TEST(Devices, ABuildWithoutCudaHasNoneAndSaysSo) {
  EXPECT_EQ(cuda_devices().empty(), !why_no_cuda_device().empty());
  EXPECT_EQ(cuda_version().empty(), !cuda_built());
  if (cuda_built()) return;
  EXPECT_NE(why_no_cuda_device().find("built without CUDA"), std::string::npos);
  EXPECT_THROW(use_cuda_device(0), Error);
}

}  // namespace
}  // namespace fcm::ops
