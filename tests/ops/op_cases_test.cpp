// Compares every operator with its reference, for the cases in the operators' tables.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "fcm/ops/cases.h"
#include "tests/ops/op_case_list.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"
#include "tests/support/op_case_results.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::Difference;
using test::expect_close;
using test::own_results;
using test::reference_results;
using test::Results;

class OpCasesTest : public testing::TestWithParam<NamedCase> {};

TEST_P(OpCasesTest, Float64EqualsTheReference) {
  const OpCase& op_case = GetParam().op_case;
  expect_close(own_results(op_case, at::kDouble), reference_results(op_case, at::kDouble), 1e-12,
               1e-12, at::kDouble);
}

TEST_P(OpCasesTest, Float32IsCloseToTheReference) {
  const auto& [op, tolerance, op_case] = GetParam();
  const Results own = own_results(op_case, at::kFloat);
  EXPECT_EQ(own.forward.scalar_type(), at::kFloat);
  expect_close(own, reference_results(op_case, at::kFloat),
               tolerance.float32 + op_case.float32_of_scores, tolerance.float32_gradient,
               at::kFloat);
}

TEST_P(OpCasesTest, Bfloat16IsCloseToTheReference) {
  const auto& [op, tolerance, op_case] = GetParam();
  const Results own = own_results(op_case, at::kBFloat16);
  EXPECT_EQ(own.forward.scalar_type(), at::kBFloat16);
  expect_close(own, reference_results(op_case, at::kBFloat16), tolerance.bfloat16,
               tolerance.bfloat16_gradient, at::kBFloat16);
}

TEST_P(OpCasesTest, TwoRunsGiveTheSameBits) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Results first = own_results(GetParam().op_case, dtype);
    const Results second = own_results(GetParam().op_case, dtype);
    EXPECT_TRUE(test::same_bits(first.forward, second.forward)) << c10::toString(dtype);
    for (size_t input = 0; input < first.gradients.size(); ++input) {
      if (!first.gradients[input].defined()) continue;
      EXPECT_TRUE(test::same_bits(first.gradients[input], second.gradients[input]))
          << "gradient of input " << input << " in " << c10::toString(dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpCasesTest, testing::ValuesIn(cases_to_compare()), name_of);

std::vector<NamedCase> small_cases() {
  std::vector<NamedCase> small;
  for (const NamedCase& named : cases_to_compare()) {
    if (named.op_case.check_by_differences) small.push_back(named);
  }
  return small;
}

class OpGradientTest : public testing::TestWithParam<NamedCase> {};

TEST_P(OpGradientTest, EqualsCentralDifferences) {
  const OpCase& op_case = GetParam().op_case;
  EXPECT_EQ(test::check_gradients(op_case.run, op_case.inputs(at::kDouble, 1)), "");
}

INSTANTIATE_TEST_SUITE_P(Small, OpGradientTest, testing::ValuesIn(small_cases()), name_of);

// Benchmarks compare times with a LibTorch form of the operator, which must compute the same.
TEST(OpCaseTables, TheLibrarysFormsEqualTheReference) {
  int compared = 0;
  for (const NamedCase& named : cases_to_compare()) {
    if (!named.op_case.library) continue;
    SCOPED_TRACE(named.op + "/" + named.op_case.name);
    const Results library = test::evaluate(
        named.op_case.library, test::leaves(named.op_case.inputs(at::kDouble, 1)), at::kDouble);
    expect_close(library, reference_results(named.op_case, at::kDouble), 1e-11, 1e-11, at::kDouble);
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST(OpCaseTables, EveryOperatorComparesCasesAndTimesOne) {
  for (const OpCases& table : all_op_cases()) {
    int compared = 0, timed = 0;
    for (const OpCase& op_case : table.cases) {
      compared += op_case.forward_elements <= kMostElements;
      timed += op_case.benchmark;
      EXPECT_TRUE(!op_case.benchmark || op_case.forward_elements > 0) << op_case.name;
    }
    EXPECT_GT(compared, 0) << table.op;
    EXPECT_GT(timed, 0) << table.op;
  }
}

TEST(Compare, OneWrongElementIsReportedWithItsPlace) {
  const at::Tensor wanted = test::fixed_normal({3, 4, 5}, 1);
  at::Tensor got = wanted.clone();
  EXPECT_EQ(compare(got, wanted, 0).first_bad, -1);
  got[1][2][3] += 1e-3;
  got[2][0][0] += 1e-2;
  const Difference difference = compare(got, wanted, 1e-4);
  EXPECT_EQ(difference.first_bad, 1 * 20 + 2 * 5 + 3);
  EXPECT_NE(difference.description.find("[1, 2, 3]"), std::string::npos);
  EXPECT_NEAR(difference.max_abs, 1e-2, 1e-12);
  EXPECT_EQ(compare(got, wanted, 0.1).first_bad, -1);
}

TEST(Compare, NotANumberAndShapesAreNoticed) {
  const at::Tensor wanted = test::fixed_normal({6}, 1);
  at::Tensor got = wanted.clone();
  got[5] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(compare(got, wanted, 1.0).first_bad, 5);
  EXPECT_EQ(compare(wanted, got, 1.0).first_bad, 5);
  EXPECT_EQ(compare(got, got, 0.0).first_bad, -1);
  EXPECT_GE(compare(wanted.view({2, 3}), wanted, 1.0).first_bad, 0);
  EXPECT_GE(compare(at::Tensor(), wanted, 1.0).first_bad, 0);
}

TEST(GradCheck, AWrongGradientIsFound) {
  const test::Inputs inputs = {test::fixed_normal({4}, 1), test::fixed_normal({4}, 2)};
  const auto right = [](const test::Inputs& in) { return in[0].sin() * in[1]; };
  // The same value, but no gradient flows through one factor.
  const auto wrong = [](const test::Inputs& in) {
    return in[0].sin() * (in[1] * 0 + in[1].detach());
  };
  EXPECT_EQ(test::check_gradients(right, inputs), "");
  EXPECT_NE(test::check_gradients(wrong, inputs).find("input 1"), std::string::npos);
}

}  // namespace
}  // namespace fcm::ops
