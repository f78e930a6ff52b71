// Tests guarantees of attention with row and column tables; op_cases_test compares its values.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/decomposed_attention/op.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

TEST(DecomposedAttention, IsAttentionWhereTheTablesAreZero) {
  const at::Tensor qkv = case_values({3, 12, 3 * 8}, at::kDouble, 1);
  const at::Tensor rows = at::zeros({5, 4}, at::kDouble), cols = at::zeros({7, 4}, at::kDouble);
  EXPECT_EQ(
      test::compare(decomposed_attention(qkv, 2, {rows, cols}, 3, 4), attention(qkv, 2), 1e-12)
          .description,
      "");
  // A table with equal entries adds the same to all scores of a query.
  EXPECT_EQ(
      test::compare(decomposed_attention(qkv, 2, {rows + 2, cols}, 3, 4), attention(qkv, 2), 1e-12)
          .description,
      "");
}

TEST(DecomposedAttention, TheSameBitsForAnyNumberOfThreads) {
  const test::Inputs inputs{case_values({3, 70, 3 * 24}, at::kFloat, 1),
                            case_values({13, 8}, at::kFloat, 2),
                            case_values({19, 8}, at::kFloat, 3)};
  const auto run = [](const test::Inputs& in) {
    return decomposed_attention(in[0], 3, {in[1], in[2]}, 7, 10);
  };
  const int before = at::get_num_threads();
  const test::Inputs many = test::with_gradients(run, inputs);
  at::set_num_threads(1);
  const test::Inputs one = test::with_gradients(run, inputs);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(test::same_bits(one[i], many[i])) << i;
}

TEST(DecomposedAttention, RefusesTablesOfOtherMaps) {
  const at::Tensor qkv = at::ones({1, 12, 24});
  EXPECT_THROW(decomposed_attention(qkv, 2, {at::ones({7, 4}), at::ones({5, 4})}, 3, 4),
               std::logic_error);
  EXPECT_THROW(decomposed_attention(qkv, 2, {at::ones({5, 4}), at::ones({7, 4})}, 4, 4),
               std::logic_error);
  EXPECT_THROW(decomposed_attention(qkv, 5, {at::ones({5, 4}), at::ones({7, 4})}, 3, 4),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
