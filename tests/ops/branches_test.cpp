// Tests properties of the residual branches that the tables of cases do not cover.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "fcm/ops/branches/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/gather_rows/shared_table.h"
#include "tests/support/compare.h"
#include "tests/support/op_case_results.h"

namespace fcm::ops {
namespace {

using Inputs = OpCase::Inputs;

constexpr int64_t kWidth = 24, kHeads = 3;

// Returns x, and weight and bias of norm, qkv and proj.
Inputs inputs_for(const at::Tensor& x, at::ScalarType dtype) {
  Inputs inputs{x};
  uint64_t seed = 10;
  for (const std::vector<int64_t>& sizes : std::vector<std::vector<int64_t>>{
           {kWidth}, {kWidth}, {3 * kWidth, kWidth}, {3 * kWidth}, {kWidth, kWidth}, {kWidth}}) {
    inputs.push_back(case_values(sizes, dtype, seed++, 0.4));
  }
  return test::leaves(inputs);
}

// The part of the qkv bias's gradient that belongs to the keys.
at::Tensor key_bias_gradient(const test::Results& results) {
  return results.gradients[4].narrow(0, kWidth, kWidth);
}

// Sequences of 9 tokens use this program's kernels, sequences of 600 use LibTorch's.
TEST(AttentionBranch, TheGradientOfTheKeysBiasIsExactlyZero) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t tokens : {9, 600}) {
      const Inputs inputs = inputs_for(case_values({2, tokens, kWidth}, dtype, 1), dtype);
      const auto branch = [](const auto& function) {
        return [&function](const Inputs& in) {
          return function(in[0], NormWeights{in[1], in[2], 1e-6}, ProductWeights{in[3], in[4]},
                          ProductWeights{in[5], in[6]}, kHeads, at::Tensor(), 0);
        };
      };
      const auto own = test::evaluate(branch(attention_branch), inputs, dtype);
      EXPECT_EQ(key_bias_gradient(own).abs().max().item<double>(), 0) << tokens;
      EXPECT_GT(own.gradients[4].narrow(0, 0, kWidth).abs().min().item<double>(), 0) << tokens;
      // Negative control: the reference's gradient is rounding noise, not zero.
      const auto plain = test::evaluate(branch(attention_branch_reference), inputs, dtype);
      EXPECT_GT(key_bias_gradient(plain).abs().max().item<double>(), 0) << tokens;
    }
  }
}

TEST(AttentionBranch, TheKeysBiasChangesNothing) {
  const Inputs inputs = inputs_for(case_values({2, 9, kWidth}, at::kDouble, 1), at::kDouble);
  const auto with_bias = [&](int64_t part) {
    at::Tensor bias = inputs[4].detach().clone();
    bias.narrow(0, part * kWidth, kWidth).add_(1);
    return attention_branch(inputs[0], {inputs[1], inputs[2], 1e-6}, {inputs[3], bias},
                            {inputs[5], inputs[6]}, kHeads);
  };
  const at::Tensor plain = attention_branch(inputs[0], {inputs[1], inputs[2], 1e-6},
                                            {inputs[3], inputs[4]}, {inputs[5], inputs[6]}, kHeads);
  EXPECT_EQ(test::compare(with_bias(1), plain, 1e-13).description, "");
  EXPECT_NE(test::compare(with_bias(0), plain, 1e-3).description, "");  // the queries' bias matters
}

// Negative control: the comparison detects that one hidden token of one sequence reads the table
// row of the next token.
TEST(AttentionBranchOfRows, AWrongPlaceIsNoticed) {
  const SharedTable table{6, 9, 36, 36};
  const Inputs inputs =
      inputs_for(case_values({table.rows(), kWidth}, at::kDouble, 1), at::kDouble);
  const auto results = [&](const auto& function, const at::Tensor& places) {
    return test::evaluate(
        [&](const Inputs& in) {
          return function(in[0], places, NormWeights{in[1], in[2], 1e-6},
                          ProductWeights{in[3], in[4]}, ProductWeights{in[5], in[6]}, kHeads, 0);
        },
        inputs, at::kDouble);
  };
  const at::Tensor places = table.indices_NT();
  at::Tensor wrong = places.clone();
  wrong[3][20] = wrong[3][21];
  const auto wanted = results(attention_branch_of_rows_reference, places);
  const auto right = results(attention_branch_of_rows, places),
             mistaken = results(attention_branch_of_rows, wrong);
  for (const size_t input : {size_t{0}, size_t{3}}) {  // rows, and the qkv weight
    EXPECT_EQ(test::compare(right.gradients[input], wanted.gradients[input], 1e-12).description,
              "");
    EXPECT_NE(test::compare(mistaken.gradients[input], wanted.gradients[input], 1e-6).description,
              "");
  }
  EXPECT_NE(test::compare(mistaken.forward, wanted.forward, 1e-6).description, "");
}

}  // namespace
}  // namespace fcm::ops
