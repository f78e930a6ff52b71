// Tests which cells attend to each other: compares window sets with the definition for every pair
// of cells.
#include "fcm/masks/window_plan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace fcm::masks {
namespace {

struct Cell {
  int64_t row, col, view;
};

// Row, column and view of every token of an image, in the order of tokens.
std::vector<Cell> cells_of(const ViewPlan& plan, int64_t image, int64_t slots,
                           const ops::Cells& cells) {
  std::vector<Cell> result;
  for (int64_t slot = 0; slot < slots; ++slot) {
    const auto patch = plan.order_BL[image][slot].item<int64_t>();
    int64_t view = 0, end = plan.sizes[0];
    while (slot >= end) end += plan.sizes[static_cast<size_t>(++view)];
    for (const int64_t inner : cells.raster) {
      result.push_back({patch / plan.grid.cols * cells.side + inner / cells.side,
                        patch % plan.grid.cols * cells.side + inner % cells.side, view});
    }
  }
  return result;
}

// The index of the set of each token of an image.
std::map<int32_t, int64_t> set_of_tokens(const ops::WindowSets& sets, int64_t image) {
  std::map<int32_t, int64_t> result;
  const int64_t plan = sets.plans() == 1 ? 0 : image;
  const at::Tensor tokens = sets.tokens_PT.flatten();
  for (int64_t s = 0; s < sets.sets_S4.size(0); ++s) {
    if (sets.sets_S4[s][0].item<int64_t>() != plan) continue;
    const auto first = sets.sets_S4[s][1].item<int64_t>(),
               size = sets.sets_S4[s][2].item<int64_t>();
    for (int64_t i = first; i < first + size; ++i) result[tokens[i].item<int32_t>()] = s;
  }
  return result;
}

void expect_definition(const ViewPlan& plan, int64_t slots, const Windows& windows, bool by_view) {
  const ops::WindowSets sets = window_sets(plan, slots, windows, by_view);
  const at::Tensor tokens = sets.tokens_PT.flatten(), codes = sets.queries_PT.flatten();
  for (int64_t image = 0; image < plan.batch(); ++image) {
    const std::vector<Cell> cells = cells_of(plan, image, slots, windows.cells);
    const auto set_of = set_of_tokens(sets, image);
    ASSERT_EQ(set_of.size(), cells.size()) << "every token must be in exactly one set";
    const auto window = [&](int64_t x) {
      return (x + windows.side - windows.shift) / windows.side;
    };
    for (const auto& [i, set_i] : set_of) {
      for (const auto& [j, set_j] : set_of) {
        const Cell &a = cells[static_cast<size_t>(i)], b = cells[static_cast<size_t>(j)];
        const bool together = window(a.row) == window(b.row) && window(a.col) == window(b.col) &&
                              (!by_view || a.view == b.view);
        ASSERT_EQ(set_i == set_j, together) << i << " " << j;
      }
    }
  }
  // The difference of two tokens' codes encodes the difference of their coordinates.
  for (int64_t s = 0; s < sets.sets_S4.size(0); ++s) {
    const auto plan_index = sets.sets_S4[s][0].item<int64_t>();
    const auto first = sets.sets_S4[s][1].item<int64_t>(),
               size = sets.sets_S4[s][2].item<int64_t>();
    const std::vector<Cell> cells = cells_of(plan, plan_index, slots, windows.cells);
    const Cell& origin = cells[static_cast<size_t>(tokens[first].item<int32_t>())];
    for (int64_t i = first; i < first + size; ++i) {
      const Cell& cell = cells[static_cast<size_t>(tokens[i].item<int32_t>())];
      EXPECT_EQ(codes[i].item<int64_t>() - codes[first].item<int64_t>(),
                (cell.row - origin.row) * (2 * windows.side - 1) + cell.col - origin.col);
    }
  }
}

ViewPlan random_plan(int64_t batch, Grid grid, double ratio, bool all_views) {
  std::vector<int64_t> ids(static_cast<size_t>(batch));
  std::iota(ids.begin(), ids.end(), 0);
  MaskOptions options;
  options.ratio = ratio;
  options.views.count = all_views ? 0 : 1;
  return plan_for_samples(ids, 3, 0, grid, options);
}

TEST(WindowSetsOfAPlan, AreWhatTheDefinitionSays) {
  const ops::PatchGeometry geometry{{4, 2, 2}};
  for (const int64_t stage : {0, 1, 2}) {
    const ops::Cells cells = geometry.cells(stage);
    for (const auto& [side, shift] : {std::pair<int64_t, int64_t>{3, 0}, {3, 1}, {4, 2}, {1, 0}}) {
      const ViewPlan full = full_plan(2, {3, 4}), masked = random_plan(3, {3, 4}, 0.75, true),
                     one = random_plan(3, {3, 4}, 0.6, false);
      expect_definition(full, 12, {cells, side, shift}, true);
      expect_definition(masked, masked.kept_slots(), {cells, side, shift}, true);
      expect_definition(one, one.kept_slots(), {cells, side, shift}, true);
      expect_definition(one, one.patches(), {cells, side, shift}, false);
    }
  }
}

TEST(WindowSetsOfAPlan, AreOnePlanWhereImagesAreAlike) {
  const ops::Cells cells = ops::PatchGeometry{{4, 2}}.cells(0);
  EXPECT_EQ(window_sets(full_plan(5, {4, 4}), 16, {cells, 4, 2}, true).plans(), 1);
  const ViewPlan masked = random_plan(5, {4, 4}, 0.75, false);
  EXPECT_EQ(window_sets(masked, masked.kept_slots(), {cells, 4, 2}, true).plans(), 5);
}

// Windows are cut at the image's borders and do not wrap around: cells at opposite borders are
// never in one set.
TEST(WindowSetsOfAPlan, DoNotWrapAround) {
  const ops::WindowSets sets = window_sets(full_plan(1, {6, 6}), 36, {{1, {0}}, 3, 1}, true);
  const auto set_of = set_of_tokens(sets, 0);
  EXPECT_NE(set_of.at(0), set_of.at(5));
  EXPECT_NE(set_of.at(0), set_of.at(30));
  EXPECT_EQ(sets.sets_S4.size(0), 9);
}

// The table index of every pair of patches is upstream's: (row difference + rows - 1) *
// (2 * cols - 1) + column difference + cols - 1.
TEST(SetsOfDetectors, HaveThePublishedEntriesOfEveryPair) {
  const Grid grid{4, 6};
  const ViewPlan plan = plan_of_windows(3, grid, 2);
  const auto expect_entries = [](const ops::WindowSets& sets, const at::Tensor& order_L, Grid of) {
    ASSERT_EQ(sets.plans(), 1);
    ASSERT_EQ(sets.sets_S4.size(0), 1);
    EXPECT_EQ(sets.table_rows, (2 * of.rows - 1) * (2 * of.cols - 1));
    const at::Tensor patch_of_place = order_L.index_select(0, sets.tokens_PT[0].to(at::kLong));
    EXPECT_TRUE(std::get<0>(patch_of_place.sort()).equal(at::arange(of.patches())));
    for (int64_t i = 0; i < of.patches(); ++i) {
      for (int64_t j = 0; j < of.patches(); ++j) {
        const auto a = patch_of_place[i].item<int64_t>(), b = patch_of_place[j].item<int64_t>();
        const int64_t down = a / of.cols - b / of.cols, across = a % of.cols - b % of.cols;
        ASSERT_EQ(sets.queries_PT[0][i].item<int64_t>() - sets.keys_PT[0][j].item<int64_t>() +
                      sets.centre,
                  (down + of.rows - 1) * (2 * of.cols - 1) + across + of.cols - 1);
      }
    }
  };
  expect_entries(set_of_map(plan), plan.order_BL[0], grid);
  expect_entries(set_of_map(full_plan(2, grid)), at::arange(grid.patches()), grid);
  expect_entries(set_of_window(4), plan_of_windows(1, {4, 4}, 4).order_BL[0], {4, 4});
}

// A single set for all images is possible only if all have the same order.
TEST(SetsOfDetectors, RefuseImagesOfDifferentOrders) {
  EXPECT_THROW(set_of_map(random_plan(2, {4, 4}, 0.5, true)), std::logic_error);
}

TEST(PaddedWindows, HoldEveryPatchOnceAndNothingBeyondTheBorder) {
  const Grid grid{5, 7};
  const PaddedWindows windows = padded_windows(grid, 3);
  EXPECT_EQ(windows.patches_WT.sizes(), at::IntArrayRef({2 * 3, 9}));
  EXPECT_EQ((windows.patches_WT == grid.patches()).sum().item<int64_t>(), 6 * 9 - 35);
  for (int64_t window = 0; window < 6; ++window) {
    for (int64_t place = 0; place < 9; ++place) {
      const int64_t row = window / 3 * 3 + place / 3, col = window % 3 * 3 + place % 3;
      const bool inside = row < grid.rows && col < grid.cols;
      EXPECT_EQ(windows.patches_WT[window][place].item<int64_t>(),
                inside ? row * grid.cols + col : grid.patches());
    }
  }
  const at::Tensor back = windows.patches_WT.flatten().index_select(0, windows.indices_L);
  EXPECT_TRUE(back.equal(at::arange(grid.patches())));
}

// Windows of 3 over 4 x 5 cells: the map is padded to 6 x 6 cells, and padding comes after the
// tokens.
TEST(WindowSetsOfAPlan, AreFilledUpBehindTheTokens) {
  const ViewPlan plan = full_plan(2, {4, 5});
  const ops::WindowSets whole = window_sets(plan, 20, {{1, {0}}, 3, 0, true}, true),
                        moved = window_sets(plan, 20, {{1, {0}}, 3, 1, true}, true);
  EXPECT_EQ(whole.padding, 16);
  EXPECT_EQ(whole.tokens(), 36);
  EXPECT_TRUE((whole.sets_S4.select(1, 2) == 9).all().item<bool>());
  EXPECT_EQ(whole.sets_S4.size(0), 4);
  EXPECT_EQ(moved.padding, 16);
  EXPECT_EQ(moved.sets_S4.size(0), 9);
  EXPECT_TRUE(std::get<0>(moved.tokens_PT[0].sort()).equal(at::arange(36, at::kInt)));
  EXPECT_EQ(window_sets(plan, 20, {{1, {0}}, 3, 0}, true).padding, 0);
  const ViewPlan masked = random_plan(1, {4, 4}, 0.5, true);
  EXPECT_THROW(window_sets(masked, 16, {{1, {0}}, 3, 0, true}, true), std::logic_error);
}

}  // namespace
}  // namespace fcm::masks
