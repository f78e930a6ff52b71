// Tests the window attention kernels of every instruction set, and guarantees such as bits that do
// not depend on the number of threads.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/cases.h"
#include "fcm/ops/simd/dispatch.h"
#include "fcm/ops/window_attention/op.h"
#include "fcm/ops/with_isa.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

using test::compare;
using test::same_bits;

// Shifted windows over a map whose tokens are stored in reverse raster order.
WindowSets windows_over(int64_t rows, int64_t cols, int64_t window, int64_t shift,
                        int64_t images = 1) {
  std::vector<PlacedToken> tokens;
  const int64_t before = window - shift;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      tokens.push_back(
          {static_cast<int32_t>(rows * cols - 1) - static_cast<int32_t>(tokens.size()),
           static_cast<int32_t>((row + before) / window * 100 + (col + before) / window),
           static_cast<int32_t>(row), static_cast<int32_t>(col)});
    }
  }
  return make_window_sets(std::vector(static_cast<size_t>(images), tokens), window);
}

template <class Function>
test::Inputs with_gradients(const Function& function, const at::Tensor& qkv,
                            const at::Tensor& table) {
  const test::Inputs start = test::leaves({qkv, table});
  const at::Tensor result = function(start[0], start[1]);
  test::Inputs all = test::gradients(result, start, test::fixed_normal(result.sizes(), 9));
  all.insert(all.begin(), result.detach());
  return all;
}

class WindowAttentionIsaTest : public testing::TestWithParam<Isa> {
 protected:
  const test::OneThread one_thread_;

  void SetUp() override {
    if (!can_run(GetParam())) GTEST_SKIP() << "no " << isa_name(GetParam()) << " on this CPU";
  }
  void expect_equal(const WindowSets& sets, int64_t heads, int64_t head_dim,
                    at::ScalarType dtype) const {
    const at::Tensor qkv = case_values({2, sets.tokens(), 3 * heads * head_dim}, dtype, 1);
    const at::Tensor table = case_values({sets.table_rows, heads}, dtype, 2);
    const test::Inputs got = with_gradients(
        [&](const auto& x, const auto& t) { return window_attention_with(GetParam(), x, t, sets); },
        qkv, table);
    const test::Inputs wanted = with_gradients(
        [&](const auto& x, const auto& t) { return window_attention_reference(x, t, sets); },
        qkv.to(at::kDouble), table.to(at::kDouble));
    const double tolerance = dtype == at::kFloat ? 3e-6 : (dtype == at::kDouble ? 1e-12 : 2e-2);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(compare(got[i], wanted[i], tolerance).description, "")
          << "a table of " << sets.table_rows << ", largest " << sets.largest << ", " << heads
          << " heads of " << head_dim << ", " << c10::toString(dtype) << ", output " << i;
    }
  }
};

// Sets of 1 to 256 tokens: sizes around multiples of the vector width, of row tiles and of a block
// of rows.
TEST_P(WindowAttentionIsaTest, EqualsTheReferenceForEverySizeOfSet) {
  for (const int64_t window : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    expect_equal(windows_over(window, window, window, 0), 2, 12, at::kFloat);
  }
  for (const int64_t cols : {1, 2, 5, 11, 12, 13, 24, 25}) {
    expect_equal(windows_over(2, cols, 25, 0), 1, 8, at::kFloat);
  }
  for (const int64_t head_dim : {1, 3, 4, 8, 15, 16, 17, 24, 31, 32, 33, 64, 128}) {
    expect_equal(windows_over(5, 7, 4, 2), 1, head_dim, at::kFloat);
  }
  for (const auto dtype : {at::kBFloat16, at::kDouble}) {
    for (const int64_t window : {1, 3, 6, 7}) {
      expect_equal(windows_over(14, 9, window, window / 2), 3, 20, dtype);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, WindowAttentionIsaTest,
                         testing::Values(Isa::kPlain, Isa::kAvx2, Isa::kAvx512, Isa::kAmx),
                         [](const auto& isa) { return std::string(isa_name(isa.param)); });

TEST(WindowAttention, OneWindowOverTheMapIsAttentionWithABias) {
  const WindowSets sets = windows_over(5, 5, 5, 0);
  const at::Tensor qkv = case_values({3, 25, 3 * 16}, at::kDouble, 1);
  const at::Tensor none = at::zeros({sets.table_rows, 2}, at::kDouble);
  EXPECT_EQ(compare(window_attention(qkv, none, sets), attention(qkv, 2), 1e-12).description, "");
  // A constant bias shifts all scores equally.
  EXPECT_EQ(compare(window_attention(qkv, none + 3, sets), attention(qkv, 2), 1e-12).description,
            "");
}

TEST(WindowAttention, TheSameBitsForAnyNumberOfThreads) {
  const WindowSets sets = windows_over(24, 24, 6, 3);
  const at::Tensor qkv = case_values({4, 576, 3 * 32}, at::kFloat, 1);
  const at::Tensor table = case_values({sets.table_rows, 4}, at::kFloat, 2);
  const auto run = [&](const auto& x, const auto& t) { return window_attention(x, t, sets); };
  const int before = at::get_num_threads();
  const test::Inputs many = with_gradients(run, qkv, table);
  at::set_num_threads(1);
  const test::Inputs one = with_gradients(run, qkv, table);
  at::set_num_threads(before);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << i;
}

// One plan shared by all images equals a copy of it per image.
TEST(WindowAttention, APlanPerImageGivesWhatOneForAllGives) {
  const at::Tensor qkv = case_values({3, 63, 3 * 12}, at::kDouble, 1);
  const at::Tensor table = case_values({49, 2}, at::kDouble, 2);
  EXPECT_EQ(compare(window_attention(qkv, table, windows_over(7, 9, 4, 2, 3)),
                    window_attention(qkv, table, windows_over(7, 9, 4, 2)), 1e-13)
                .description,
            "");
}

// Sets of equal shape are adjacent. Unshifted windows have one shape, shifted ones have four.
TEST(WindowSets, AreSortedByWhatTheyLookLike) {
  const auto looks = [](const WindowSets& sets) {
    const at::Tensor look_S = sets.sets_S4.select(1, 3).contiguous();
    EXPECT_TRUE(at::equal(look_S, std::get<0>(look_S.sort(/*dim=*/int64_t{0}))));
    return look_S.max().item<int>() + 1;
  };
  EXPECT_EQ(looks(windows_over(12, 12, 4, 0)), 1);
  EXPECT_EQ(looks(windows_over(12, 12, 4, 2)), 4);
  EXPECT_EQ(windows_over(12, 12, 4, 2).sets_S4.size(0), 16);
  EXPECT_EQ(windows_over(12, 12, 4, 2).largest, 16);
  EXPECT_EQ(windows_over(12, 12, 4, 0).pairs, 9 * 256);
}

TEST(WindowSets, RefuseSetsLargerThanTheirWindow) {
  const std::vector<std::vector<PlacedToken>> far{{{0, 0, 0, 0}, {1, 0, 0, 3}}};
  EXPECT_THROW(make_window_sets(far, 3), std::logic_error);
  EXPECT_NO_THROW(make_window_sets(far, 4));
  const std::vector<std::vector<PlacedToken>> uneven{{{0, 0, 0, 0}}, {}};
  EXPECT_THROW(make_window_sets(uneven, 3), std::logic_error);
}

// Negative controls: the comparison detects a shift in the wrong direction, swapped coordinates,
// and the bias of another head.
TEST(WindowAttentionControls, WrongSetsAndWrongBiasesAreSeen) {
  const WindowSets sets = windows_over(10, 10, 5, 2);
  const at::Tensor qkv = case_values({2, 100, 3 * 16}, at::kDouble, 1);
  const at::Tensor table = case_values({sets.table_rows, 2}, at::kDouble, 2);
  const at::Tensor wanted = window_attention_reference(qkv, table, sets);
  const auto seen = [&](const at::Tensor& got) {
    return !compare(got, wanted, 1e-3).description.empty();
  };
  EXPECT_FALSE(seen(window_attention(qkv, table, sets)));
  EXPECT_TRUE(seen(window_attention(qkv, table, windows_over(10, 10, 5, 3))));
  EXPECT_TRUE(seen(window_attention(qkv, table.flip(1), sets)));
  const at::Tensor turned = table.view({9, 9, 2}).transpose(0, 1).reshape({81, 2});
  EXPECT_TRUE(seen(window_attention(qkv, turned, sets)));
  EXPECT_TRUE(seen(window_attention(qkv, table.flip(0), sets)));
}

TEST(WindowAttention, RefusesWrongShapesAndTypes) {
  const WindowSets sets = windows_over(4, 4, 2, 0);
  const at::Tensor table = at::zeros({9, 2});
  EXPECT_THROW(window_attention(at::zeros({2, 16, 32}), table, sets), std::logic_error);
  EXPECT_THROW(window_attention(at::zeros({2, 15, 24}), table, sets), std::logic_error);
  EXPECT_THROW(window_attention(at::zeros({2, 16, 24}), at::zeros({8, 2}), sets), std::logic_error);
  EXPECT_THROW(window_attention(at::zeros({2, 16, 24}, at::kHalf), table, sets), std::logic_error);
}

}  // namespace
}  // namespace fcm::ops
