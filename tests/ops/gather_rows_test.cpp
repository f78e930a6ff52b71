#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "fcm/base/error.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/gather_rows/passes.h"
#include "fcm/ops/gather_rows/shared_table.h"
#include "tests/support/compare.h"
#include "tests/support/gradcheck.h"

namespace fcm::ops {
namespace {

const SharedTable kTable{24, 9, 36, 36};

TEST(GatherRows, SumsHaveTheSameBitsForAnyNumberOfThreads) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = test::fixed_normal({kTable.sequences, kTable.tokens, 40}, 1).to(dtype);
    const auto sums = [&](int threads) {
      const int before = at::get_num_threads();
      at::set_num_threads(threads);
      const at::Tensor result = summed_by_row(x, kTable.indices_NT(), kTable.rows());
      at::set_num_threads(before);
      return result;
    };
    EXPECT_TRUE(test::same_bits(sums(1), sums(3))) << c10::toString(dtype);
  }
}

// Each sum has 18 terms, so rounding after every addition would be detected.
TEST(GatherRows, SumsOfBfloat16AreRoundedOnce) {
  const at::Tensor x =
      test::fixed_normal({kTable.sequences, kTable.tokens, 40}, 2).to(at::kBFloat16);
  const at::Tensor exact = summed_by_row(x.to(at::kDouble), kTable.indices_NT(), kTable.rows());
  for (const auto& sums : {summed_by_row, summed_by_row_library}) {
    const at::Tensor got = sums(x, kTable.indices_NT(), kTable.rows());
    EXPECT_LE(((got - exact) / exact).abs().max().item<double>(), 0x1.01p-8);
  }
}

TEST(GatherRows, TheFormForOtherDevicesGivesTheSame) {
  const at::Tensor x = test::fixed_normal({kTable.sequences, kTable.tokens, 7}, 3);
  const at::Tensor places = kTable.indices_NT();
  const at::Tensor sums = summed_by_row_library(x, places, kTable.rows());
  EXPECT_EQ(test::compare(sums, summed_by_row(x, places, kTable.rows()), 1e-14).description, "");
  at::Tensor wrong = places.clone();
  wrong[1][20] = wrong[1][21];
  EXPECT_NE(test::compare(sums, summed_by_row(x, wrong, kTable.rows()), 1e-14).description, "");
}

TEST(GatherRows, APlaceThatIsNoRowIsRefused) {
  const at::Tensor rows = at::zeros({4, 3});
  EXPECT_THROW(gather_rows(rows, at::full({1, 2}, 4, at::kLong)), std::exception);
  EXPECT_THROW(gather_rows(rows, at::full({1, 2}, -1, at::kLong)), std::exception);
  EXPECT_THROW(gather_rows(rows, at::zeros({1, 2}, at::kInt)), std::exception);
}

}  // namespace
}  // namespace fcm::ops
