// Tests the cross-attention kernels of every instruction set, and guarantees such as bits that do
// not depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/cross_attention/op.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

// Returns the result, and the gradients of q and kv.
template <class Function>
test::Inputs with_gradients(const Function& function, const at::Tensor& q, const at::Tensor& kv) {
  const test::Inputs start = test::leaves({q, kv});
  const at::Tensor result = function(start[0], start[1]);
  test::Inputs all = test::gradients(result, start, test::fixed_normal(result.sizes(), 9));
  all.insert(all.begin(), result.detach());
  return all;
}

class CrossAttentionIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  void expect_equal(int64_t queries, int64_t keys, int64_t heads, int64_t head_dim,
                    at::ScalarType dtype) const {
    const at::Tensor q = case_values({2, queries, heads * head_dim}, dtype, 1),
                     kv = case_values({2, keys, 2 * heads * head_dim}, dtype, 2);
    const test::Inputs got = with_gradients(
        [&](const auto& x, const auto& y) { return cross_attention_with(GetParam(), x, y, heads); },
        q, kv);
    const test::Inputs wanted = with_gradients(
        [&](const auto& x, const auto& y) { return cross_attention_reference(x, y, heads); },
        q.to(at::kDouble), kv.to(at::kDouble));
    const double tolerance = dtype == at::kFloat ? 2e-6 : (dtype == at::kDouble ? 1e-12 : 1e-2);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
          << queries << " queries, " << keys << " keys, " << heads << " heads of " << head_dim
          << ", " << c10::toString(dtype) << ", output " << i;
    }
  }
};

// Lengths around multiples of the vector width and of a block of rows. Some cases have fewer
// queries than keys, others more.
TEST_P(CrossAttentionIsaTest, EqualsTheReferenceForEveryNumberOfQueriesAndKeys) {
  for (const int64_t queries : {1, 3, 8, 23, 24, 25, 37, 49}) {
    for (const int64_t keys : {1, 2, 7, 16, 25, 49, 50}) {
      expect_equal(queries, keys, 2, 12, at::kFloat);
    }
  }
  for (const int64_t head_dim : {1, 3, 8, 17, 32, 63, 128}) {
    expect_equal(5, 9, 2, head_dim, at::kFloat);
  }
  for (const auto dtype : {at::kBFloat16, at::kDouble}) {
    for (const int64_t queries : {1, 26, 37, 147}) expect_equal(queries, 49, 3, 20, dtype);
  }
}

INSTANTIATE_TEST_SUITE_P(All, CrossAttentionIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Negative control: the comparison detects a missing key, and keys swapped with values.
TEST(CrossAttentionControls, AMissingKeyAndSwappedHalvesAreSeen) {
  const at::Tensor q = case_values({2, 3, 16}, at::kDouble, 1),
                   kv = case_values({2, 9, 32}, at::kDouble, 2);
  const at::Tensor wanted = cross_attention(q, kv, 2);
  EXPECT_NE(compare(cross_attention_reference(q, kv.narrow(1, 0, 8), 2), wanted, 1e-3).description,
            "");
  EXPECT_NE(compare(cross_attention_reference(q, kv.roll(16, 2), 2), wanted, 1e-3).description, "");
}

// A query's result has the same bits whether or not other queries are in the call.
TEST(CrossAttention, AQueryDoesNotDependOnOthers) {
  const at::Tensor q = case_values({3, 40, 16}, at::kFloat, 1),
                   kv = case_values({3, 9, 32}, at::kFloat, 2);
  const at::Tensor some = at::tensor({0, 7, 8, 24, 39}, at::kLong);
  EXPECT_TRUE(same_bits(cross_attention(q.index_select(1, some), kv, 2),
                        cross_attention(q, kv, 2).index_select(1, some)));
}

TEST(CrossAttention, OfASequenceAndItselfIsAttention) {
  const at::Tensor qkv = case_values({3, 30, 3 * 16}, at::kFloat, 1);
  EXPECT_TRUE(same_bits(
      cross_attention(qkv.narrow(2, 0, 16).contiguous(), qkv.narrow(2, 16, 32).contiguous(), 2),
      attention(qkv, 2)));
}

TEST(CrossAttention, TheSameBitsForAnyNumberOfThreads) {
  const at::Tensor q = case_values({40, 37, 48}, at::kFloat, 1),
                   kv = case_values({40, 49, 96}, at::kFloat, 2);
  const auto run = [](const auto& x, const auto& y) { return cross_attention(x, y, 4); };
  const int before = at::get_num_threads();
  const test::Inputs many = with_gradients(run, q, kv);
  at::set_num_threads(1);
  const test::Inputs one = with_gradients(run, q, kv);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << i;
}

TEST(CrossAttention, RefusesWrongShapesAndTypes) {
  const auto refused = [](at::IntArrayRef q, at::IntArrayRef kv, int64_t heads) {
    EXPECT_THROW(cross_attention(at::zeros(q), at::zeros(kv), heads), std::logic_error);
  };
  refused({2, 3, 8}, {2, 3, 8}, 2);
  refused({2, 3, 8}, {1, 3, 16}, 2);
  refused({2, 3, 8}, {2, 3, 16}, 3);
  refused({2, 3, 8}, {2, 0, 16}, 2);
  refused({3, 8}, {2, 3, 16}, 2);
  EXPECT_THROW(cross_attention(at::zeros({2, 3, 8}), at::zeros({2, 3, 16}, at::kDouble), 2),
               std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
