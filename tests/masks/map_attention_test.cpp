// Compares the bias entry of every pair of patches in a map with its definition.
#include "fcm/masks/map_attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace fcm::masks {
namespace {

// The row of the upstream table for query i and key j; token 0 is the class token if there is one.
int64_t published_row(Grid trained, Grid now, bool class_token, int64_t i, int64_t j) {
  const int64_t patches = (2 * trained.rows - 1) * (2 * trained.cols - 1);
  if (class_token) {
    if (i == 0 && j == 0) return patches + 2;
    if (i == 0) return patches;
    if (j == 0) return patches + 1;
    --i;
    --j;
  }
  const auto clamped = [](int64_t difference, int64_t side) {
    return std::clamp(difference, -(side - 1), side - 1) + side - 1;
  };
  return clamped(i / now.cols - j / now.cols, trained.rows) * (2 * trained.cols - 1) +
         clamped(i % now.cols - j % now.cols, trained.cols);
}

void expect_published(Grid trained, Grid now, bool class_token) {
  const int64_t rows = upstream_table_rows(trained, class_token);
  const at::Tensor published = at::arange(rows, at::kLong).view({rows, 1});
  const MapAttention map = map_attention(trained, now, class_token);
  const at::Tensor table = map.table(published);
  ASSERT_EQ(table.size(0), map.sets.table_rows);
  const int64_t tokens = map.sets.tokens();
  ASSERT_EQ(tokens, now.patches() + (class_token ? 1 : 0));
  for (int64_t i = 0; i < tokens; ++i) {
    EXPECT_EQ(map.sets.tokens_PT[0][i].item<int64_t>(), i);
    for (int64_t j = 0; j < tokens; ++j) {
      const int64_t entry = map.sets.queries_PT[0][i].item<int64_t>() -
                            map.sets.keys_PT[0][j].item<int64_t>() + map.sets.centre;
      ASSERT_GE(entry, 0);
      ASSERT_LT(entry, map.sets.table_rows);
      ASSERT_EQ(table[entry][0].item<int64_t>(), published_row(trained, now, class_token, i, j))
          << "query " << i << ", key " << j;
    }
  }
}

TEST(MapAttention, TakesThePublishedRowForEveryTwoTokens) {
  for (const bool class_token : {false, true}) {
    expect_published({4, 4}, {4, 4}, class_token);
    expect_published({3, 5}, {3, 5}, class_token);
    expect_published({1, 1}, {1, 1}, class_token);
  }
}

TEST(MapAttention, CutsDistancesOffOnOtherGrids) {
  for (const bool class_token : {false, true}) {
    expect_published({3, 4}, {5, 2}, class_token);
    expect_published({4, 4}, {2, 7}, class_token);
    expect_published({1, 3}, {4, 4}, class_token);
  }
}

// On its own grid the upstream table is used without a copy.
TEST(MapAttention, LeavesATableOfItsGridAlone) {
  EXPECT_FALSE(map_attention({3, 5}, {3, 5}, false).published_E.defined());
  EXPECT_TRUE(map_attention({3, 5}, {5, 3}, false).published_E.defined());
}

}  // namespace
}  // namespace fcm::masks
