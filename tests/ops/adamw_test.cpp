// Tests the adamw kernel of every instruction set: values and both moments, lengths that are no
// multiple of a vector, segment borders, threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "fcm/ops/adamw/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"

namespace fcm::ops {
namespace {

using Segments = std::vector<AdamWSegment>;

const AdamWFactors kFactors{0.7, 0.9, 0.95, 2.6, 1e-8};

AdamWBuffers buffers_of(int64_t elements, at::ScalarType dtype) {
  return {case_values({elements}, dtype, 1), case_values({elements}, dtype, 2, 0.1),
          case_values({elements}, dtype, 3, 0.1).square(), case_values({elements}, dtype, 4, 0.3)};
}

AdamWBuffers copy(const AdamWBuffers& from, at::ScalarType dtype) {
  return {from.value_E.to(dtype, false, true), from.first_E.to(dtype, false, true),
          from.second_E.to(dtype, false, true), from.gradient_E.to(dtype, false, true)};
}

at::Tensor changed(const AdamWBuffers& buffers) {
  return at::stack({buffers.value_E, buffers.first_E, buffers.second_E});
}

class AdamWIsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }

  at::Tensor run(const AdamWBuffers& start, const Segments& segments) const {
    const AdamWBuffers buffers = copy(start, start.value_E.scalar_type());
    adamw_with(GetParam(), buffers, segments, kFactors);
    return changed(buffers);
  }
};

// The result of the reference in float64, from the same start values.
at::Tensor wanted(const AdamWBuffers& start, const Segments& segments) {
  const AdamWBuffers buffers = copy(start, at::kDouble);
  adamw_reference(buffers, segments, kFactors);
  return changed(buffers);
}

TEST_P(AdamWIsaTest, ValueAndBothMomentsAtEveryLength) {
  for (int64_t elements = 1; elements <= 40; ++elements) {
    const Segments segments{{0, elements, 1e-2, 0.999}};
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      const AdamWBuffers start = buffers_of(elements, dtype);
      const double tolerance = dtype == at::kFloat ? 5e-7 : 1e-14;
      EXPECT_EQ(test::compare(run(start, segments), wanted(start, segments), tolerance).description,
                "")
          << elements;
    }
  }
}

TEST_P(AdamWIsaTest, AnElementsBitsDoNotDependOnItsPlace) {
  const AdamWBuffers start = buffers_of(1000, at::kFloat);
  const at::Tensor whole = run(start, {{0, 1000, 1e-2, 0.999}});
  Segments pieces;
  for (int64_t begin = 0, length = 1; begin < 1000; begin += length++) {
    pieces.push_back({begin, std::min<int64_t>(begin + length, 1000), 1e-2, 0.999});
  }
  EXPECT_TRUE(test::same_bits(run(start, pieces), whole));
}

TEST_P(AdamWIsaTest, BitsDoNotDependOnThreads) {
  const AdamWBuffers start = buffers_of(300001, at::kFloat);
  const Segments segments{{0, 100003, 1e-2, 0.999}, {100003, 300001, 5e-3, 1}};
  const at::Tensor many = run(start, segments);
  EXPECT_TRUE(test::same_bits(run(start, segments), many));
  const test::OneThread one_thread;
  EXPECT_TRUE(test::same_bits(run(start, segments), many));
}

TEST_P(AdamWIsaTest, WhatIsOutsideEverySegmentStays) {
  const AdamWBuffers start = buffers_of(100, at::kFloat);
  const at::Tensor before = changed(start), after = run(start, {{20, 61, 1e-2, 0.999}});
  EXPECT_TRUE(test::same_bits(after.narrow(1, 0, 20), before.narrow(1, 0, 20)));
  EXPECT_TRUE(test::same_bits(after.narrow(1, 61, 39), before.narrow(1, 61, 39)));
  EXPECT_FALSE(after.narrow(1, 20, 41).eq(before.narrow(1, 20, 41)).any().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(All, AdamWIsaTest, testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Negative control: the comparison detects a segment border that is off by one element.
TEST(AdamW, AWrongBorderIsNoticed) {
  const AdamWBuffers start = buffers_of(100, at::kFloat);
  const at::Tensor right = wanted(start, {{0, 50, 1e-2, 0.999}, {50, 100, 1e-2, 1}});
  const at::Tensor wrong = wanted(start, {{0, 51, 1e-2, 0.999}, {51, 100, 1e-2, 1}});
  EXPECT_NE(test::compare(wrong, right, 5e-7).description, "");
}

TEST(AdamW, RefusesBuffersThatDoNotFit) {
  const AdamWBuffers fit = buffers_of(10, at::kFloat), other = buffers_of(11, at::kFloat);
  const Segments whole{{0, 10, 1e-2, 1}}, beyond{{0, 11, 1e-2, 1}};
  EXPECT_THROW(adamw({fit.value_E, fit.first_E, other.second_E, fit.gradient_E}, whole, kFactors),
               std::logic_error);
  EXPECT_THROW(adamw(buffers_of(10, at::kBFloat16), whole, kFactors), std::logic_error);
  EXPECT_THROW(adamw(fit, beyond, kFactors), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
