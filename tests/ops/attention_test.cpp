// Tests the attention kernels of every instruction set, and guarantees such as bits that do not
// depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

template <class Function>
test::Inputs with_gradient(const Function& function, const at::Tensor& qkv) {
  const test::Inputs start = test::leaves({qkv});
  const at::Tensor result = function(start[0]);
  return {result.detach(),
          test::gradients(result, start, test::fixed_normal(result.sizes(), 9))[0]};
}

class AttentionIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  void expect_equal(int64_t tokens, int64_t heads, int64_t head_dim, at::ScalarType dtype) const {
    const at::Tensor qkv = case_values({2, tokens, 3 * heads * head_dim}, dtype, 1);
    const test::Inputs got =
        with_gradient([&](const auto& x) { return attention_with(GetParam(), x, heads); }, qkv);
    const test::Inputs wanted = with_gradient(
        [&](const auto& x) { return attention_reference(x, heads); }, qkv.to(at::kDouble));
    const double tolerance = dtype == at::kFloat ? 2e-6 : (dtype == at::kDouble ? 1e-12 : 1e-2);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
          << tokens << " tokens, " << heads << " heads of " << head_dim << ", "
          << c10::toString(dtype) << (i == 0 ? ", result" : ", gradient");
    }
  }
};

// Lengths around multiples of the vector width, of row tiles (4, 6, 8, 12) and of a block of rows
// (24).
TEST_P(AttentionIsaTest, EqualsTheReferenceForEveryLengthAndWidth) {
  for (const int64_t tokens : {1, 2, 3, 4, 5, 7, 11, 13, 16, 17, 23, 24, 25, 33, 47, 49, 50, 65}) {
    expect_equal(tokens, 2, 12, at::kFloat);
  }
  for (const int64_t head_dim :
       {1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 31, 32, 33, 47, 48, 63, 64, 80, 100, 127, 128}) {
    expect_equal(9, 1, head_dim, at::kFloat);
  }
  for (const auto dtype : {at::kBFloat16, at::kDouble}) {
    for (const int64_t tokens : {1, 4, 15, 26, 49}) expect_equal(tokens, 3, 20, dtype);
  }
}

// The lengths are around multiples of the rows (16) and of the depth (32) of an AMX tile.
TEST_P(AttentionIsaTest, BfloatEqualsTheReferenceAroundTiles) {
  for (const int64_t tokens : {23, 24, 31, 32, 33, 47, 48, 64, 65, 97, 196}) {
    expect_equal(tokens, 2, 32, at::kBFloat16);
  }
  for (const int64_t head_dim : {1, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 128}) {
    expect_equal(40, 2, head_dim, at::kBFloat16);
  }
}

// A constant is added to all scores. With -300, padding of score 0 would dominate if it entered the
// maximum or the sum; with 300, exp would overflow if the maximum were not subtracted.
TEST_P(AttentionIsaTest, ShiftedScoresGiveTheSameProbabilities) {
  for (const double shift : {-300.0, 300.0}) {
    const int64_t head_dim = 4, tokens = 5;
    at::Tensor qkv = case_values({1, tokens, 3 * head_dim}, at::kFloat, 3);
    // The first element of every q is 1 and that of every k is the shift: this adds a multiple of
    // the shift to all scores.
    at::Tensor plain = qkv.clone();
    plain.select(2, 0).fill_(1);
    plain.select(2, head_dim).fill_(0);
    at::Tensor shifted = plain.clone();
    shifted.select(2, head_dim).fill_(shift);
    const at::Tensor wanted = attention_reference(plain.to(at::kDouble), 1);
    const at::Tensor got = attention_with(GetParam(), shifted, 1);
    EXPECT_EQ(compare(got, wanted, 1e-4).description, "") << shift;
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

// Negative control: the comparison detects a wrong scale, and two swapped heads.
TEST(AttentionControls, WrongScaleAndSwappedHeadsAreSeen) {
  const at::Tensor qkv = case_values({2, 9, 3 * 2 * 8}, at::kDouble, 1);
  const at::Tensor wanted = attention_reference(qkv, 2);
  at::Tensor scaled = qkv.clone();
  scaled.narrow(2, 0, 16).mul_(1.01);
  EXPECT_NE(compare(attention_reference(scaled, 2), wanted, 1e-3).description, "");
  const at::Tensor swapped = qkv.view({2, 9, 3, 2, 8}).flip(3).reshape_as(qkv);
  EXPECT_NE(compare(attention_reference(swapped, 2), wanted, 1e-3).description, "");
}

TEST(Attention, TheSameBitsForAnyNumberOfThreads) {
  const at::Tensor qkv = case_values({40, 49, 3 * 48}, at::kFloat, 1);
  const auto run = [](const auto& x) { return attention(x, 4); };
  const int before = at::get_num_threads();
  const test::Inputs many = with_gradient(run, qkv);
  at::set_num_threads(1);
  const test::Inputs one = with_gradient(run, qkv);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << i;
}

TEST(Attention, TheOrderOfTokensDoesNotMatter) {
  const at::Tensor qkv = case_values({3, 30, 3 * 16}, at::kDouble, 1);
  const at::Tensor order = at::arange(29, -1, -1, at::kLong);
  EXPECT_EQ(compare(attention(qkv.index_select(1, order), 2),
                    attention(qkv, 2).index_select(1, order), 1e-13)
                .description,
            "");
}

TEST(Attention, RefusesWrongShapesAndTypes) {
  EXPECT_THROW(attention(at::zeros({2, 3, 32}), 2), std::logic_error);
  EXPECT_THROW(attention(at::zeros({3, 24}), 2), std::logic_error);
  EXPECT_THROW(attention(at::zeros({2, 3, 24}), 0), std::logic_error);
  EXPECT_THROW(attention(at::zeros({2, 3, 24}, at::kHalf), 2), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
