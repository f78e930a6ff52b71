#include "fcm/masks/view_plan.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <utility>

#include "fcm/base/error.h"
#include "tests/support/error_of.h"

namespace fcm::masks {
namespace {

ViewPlan random_plan(Grid grid, double ratio, int64_t batch = 3, uint64_t seed = 5) {
  std::vector<int64_t> ids(static_cast<size_t>(batch));
  std::iota(ids.begin(), ids.end(), 40);
  return plan_for_samples(ids, seed, 0, grid, MaskOptions{ratio, {}});
}

int64_t view_of(const ViewPlan& plan, int64_t slot) {
  int64_t view = 0;
  while (slot >= plan.sizes[static_cast<size_t>(view)]) {
    slot -= plan.sizes[static_cast<size_t>(view++)];
  }
  return view;
}

TEST(ViewPlan, EveryPatchIsInExactlyOneSlot) {
  for (const Grid grid : {Grid{14, 14}, Grid{4, 4}, Grid{5, 3}, Grid{1, 9}}) {
    const ViewPlan plan = random_plan(grid, 0.75);
    const at::Tensor sorted = std::get<0>(plan.order_BL.sort(1));
    EXPECT_TRUE(sorted.equal(at::arange(grid.patches()).expand_as(sorted)));
  }
}

TEST(ViewPlan, LastViewTakesTheRest) {
  EXPECT_EQ(view_sizes(196, {0.75, {}}), (std::vector<int64_t>{49, 49, 49, 49}));
  EXPECT_EQ(view_sizes(15, {0.75, {}}), (std::vector<int64_t>{3, 3, 3, 6}));
  EXPECT_EQ(view_sizes(196, {0.5, {}}), (std::vector<int64_t>{98, 98}));
  EXPECT_EQ(view_sizes(196, {0.9, {}}).size(), 10u);
  EXPECT_EQ(view_sizes(196, {0.0, {}}), (std::vector<int64_t>{196}));
}

TEST(ViewPlan, MoreViewsThanPatchesIsRefused) {
  EXPECT_THROW(view_sizes(3, {0.75, {}}), Error);
  EXPECT_THROW(kept_views({1, 1}, {0.5, {3}}), Error);
}

TEST(ViewPlan, NeighboursAreThePatchesAroundInTheSameView) {
  const ViewPlan plan = random_plan({6, 5}, 0.66);
  for (int64_t image = 0; image < plan.batch(); ++image) {
    const auto order = plan.order_BL[image];
    for (int64_t slot = 0; slot < plan.patches(); ++slot) {
      const int64_t patch = order[slot].item<int64_t>();
      for (int64_t around = 0; around < 9; ++around) {
        const int64_t row = patch / 5 + around / 3 - 1, col = patch % 5 + around % 3 - 1;
        const int64_t near = plan.neighbours_BL9[image][slot][around].item<int32_t>();
        const bool inside = row >= 0 && row < 6 && col >= 0 && col < 5;
        if (near >= 0) {
          ASSERT_TRUE(inside);
          EXPECT_EQ(order[near].item<int64_t>(), row * 5 + col);
          EXPECT_EQ(view_of(plan, near), view_of(plan, slot));
        } else if (inside) {
          const int64_t other = (order == row * 5 + col).nonzero().item<int64_t>();
          EXPECT_NE(view_of(plan, other), view_of(plan, slot));
        }
      }
    }
  }
}

TEST(ViewPlan, MasksBelongToTheSampleNotToTheBatch) {
  const std::vector<int64_t> all{7, 8, 9}, one{8};
  const ViewPlan together = plan_for_samples(all, 1, 2, {4, 4}, {});
  const ViewPlan alone = plan_for_samples(one, 1, 2, {4, 4}, {});
  EXPECT_TRUE(together.order_BL[1].equal(alone.order_BL[0]));
  EXPECT_FALSE(together.order_BL[0].equal(alone.order_BL[0]));
  const ViewPlan later = plan_for_samples(one, 1, 3, {4, 4}, {});
  EXPECT_FALSE(later.order_BL.equal(alone.order_BL));
}

TEST(ViewPlan, FullPlanIsRasterOrderWithEveryEdge) {
  const ViewPlan plan = full_plan(2, {3, 4});
  EXPECT_TRUE(plan.order_BL[1].equal(at::arange(12)));
  // 12 patches, 3x3 neighbourhoods clipped at the border: (3*3-2) * (4*3-2) edges per image.
  EXPECT_EQ((plan.neighbours_BL9 >= 0).sum().item<int64_t>(), 2 * 7 * 10);
}

TEST(DrawnShare, IsRoundedAndOneAtLeast) {
  EXPECT_EQ(drawn_patches(147, 0.25), 37);
  EXPECT_EQ(drawn_patches(147, 1), 147);
  EXPECT_EQ(drawn_patches(12, 0.01), 1);
  EXPECT_EQ(drawn_patches(0, 0.5), 0);
}

// Each view predicts the same number of its hidden patches, each at most once;
// all of them if the share is 1.
TEST(DrawnShare, IsPartOfWhatIsHidden) {
  const ViewPlan whole = random_plan({5, 3}, 0.75);
  for (const double share : {0.1, 0.25, 0.5, 0.8, 1.0}) {
    const ViewPlan drawn = with_drawn_share(whole, share);
    ASSERT_EQ(drawn.hidden_slots_GH.size(), 2U);
    for (size_t run = 0; run < 2; ++run) {
      const at::Tensor &some_GH = drawn.hidden_slots_GH[run], &all_GH = whole.hidden_slots_GH[run];
      EXPECT_EQ(some_GH.size(1), drawn_patches(all_GH.size(1), share));
      EXPECT_TRUE((some_GH.diff(1, 1) > 0).all().item<bool>()) << "slots must ascend, none twice";
      for (int64_t view = 0; view < some_GH.size(0); ++view) {
        EXPECT_TRUE(at::isin(some_GH[view], all_GH[view]).all().item<bool>());
      }
      EXPECT_EQ(some_GH.equal(all_GH), share == 1);
    }
  }
}

// Each of four views hides 12 of 16 patches, and a share of 0.25 draws 3 of them. Over many images,
// every patch is drawn equally often.
TEST(DrawnShare, AsksForAllPatchesAlike) {
  constexpr int64_t kImages = 4000;
  const ViewPlan plan = with_drawn_share(random_plan({4, 4}, 0.75, kImages), 0.25);
  const at::Tensor slots = plan.hidden_slots_GH.front().reshape({-1});
  ASSERT_EQ(slots.numel(), 12);
  EXPECT_LE(at::bincount(slots, {}, 16).max().item<int64_t>(), 2);
  const at::Tensor patches = plan.order_BL.index_select(1, slots).reshape({-1});
  const at::Tensor often = at::bincount(patches, {}, 16).to(at::kDouble);
  const double expected = kImages * 12 / 16.0;
  EXPECT_LT((often - expected).abs().max().item<double>(), 0.1 * expected);
}

// The draw is keyed by the sample id and the epoch; it does not depend on the rest of the batch.
TEST(DrawnShare, BelongsToTheSample) {
  const std::vector<int64_t> all{7, 8, 9}, one{8};
  const auto predicted = [](const ViewPlan& plan, int64_t image) {
    return plan.order_BL[image].index_select(0, plan.hidden_slots_GH.front().reshape({-1}));
  };
  const auto plan = [](const std::vector<int64_t>& ids, uint64_t epoch) {
    return with_drawn_share(plan_for_samples(ids, 1, epoch, {4, 4}, {}), 0.25);
  };
  EXPECT_TRUE(predicted(plan(all, 2), 1).equal(predicted(plan(one, 2), 0)));
  EXPECT_FALSE(predicted(plan(one, 3), 0).equal(predicted(plan(one, 2), 0)));
}

TEST(ViewPlan, KeptViewsAreRunsOfEqualSize) {
  ViewPlan plan = random_plan({5, 3}, 0.75);
  const auto runs = plan.kept_runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].views, 3);
  EXPECT_EQ(runs[1].first_slot, 9);
  EXPECT_EQ(runs[1].size, 6);
  plan.kept = 1;
  EXPECT_EQ(plan.kept_slots(), 3);
}

TEST(ViewPlan, UnmaskedKeepsTheOrderAndHasEveryEdge) {
  at::manual_seed(4);
  const ViewPlan plan = plan_from_noise(at::rand({2, 12}), {3, 4}, {3, 3, 3, 3}, 4);
  const ViewPlan whole = unmasked(plan);
  EXPECT_TRUE(whole.order_BL.equal(plan.order_BL));
  EXPECT_EQ(whole.kept_slots(), 12);
  EXPECT_EQ(whole.kept_runs().size(), 1U);
  const ViewPlan raster = full_plan(2, {3, 4});
  const at::Tensor slot_of_patch_BL = plan.order_BL.argsort(/*stable=*/true, 1);
  for (int64_t image = 0; image < 2; ++image) {
    for (int64_t slot = 0; slot < 12; ++slot) {
      const int64_t patch = plan.order_BL[image][slot].item<int64_t>();
      for (int64_t around = 0; around < 9; ++around) {
        const int64_t near = raster.neighbours_BL9[image][patch][around].item<int64_t>();
        const int64_t wanted = near < 0 ? -1 : slot_of_patch_BL[image][near].item<int64_t>();
        EXPECT_EQ(whole.neighbours_BL9[image][slot][around].item<int64_t>(), wanted);
      }
    }
  }
}

// The slots of a window are consecutive. If the window's side is even, every four consecutive slots
// are 2 x 2 patches.
TEST(PlanOfWindows, SortsPatchesByWindowAndInSquaresOfFour) {
  for (const auto& [grid, window] : {std::pair{Grid{8, 12}, 4},
                                     {Grid{6, 6}, 6},
                                     {Grid{9, 6}, 3},
                                     {Grid{32, 16}, 16},
                                     {Grid{2, 3}, 1}}) {
    const ViewPlan plan = plan_of_windows(2, grid, window);
    EXPECT_EQ(plan.kept_slots(), grid.patches());
    EXPECT_EQ(plan.kept_runs().size(), 1U);
    EXPECT_TRUE(plan.order_BL[0].equal(plan.order_BL[1]));
    const at::Tensor sorted = std::get<0>(plan.order_BL[0].sort());
    EXPECT_TRUE(sorted.equal(at::arange(grid.patches())));
    const auto patch = [&](int64_t slot) { return plan.order_BL[0][slot].item<int64_t>(); };
    for (int64_t slot = 0; slot < grid.patches(); ++slot) {
      const int64_t row = patch(slot) / grid.cols, col = patch(slot) % grid.cols;
      EXPECT_EQ(view_of(plan, slot), row / window * (grid.cols / window) + col / window) << slot;
      if (window % 2 != 0) continue;
      const int64_t first = patch(slot / 4 * 4);
      EXPECT_EQ(first / grid.cols % 2 + first % grid.cols % 2, 0) << slot;
      EXPECT_EQ(row, first / grid.cols + slot % 4 / 2) << slot;
      EXPECT_EQ(col, first % grid.cols + slot % 2) << slot;
    }
  }
}

// Convolutions extend over window borders: the edges are those of the full plan.
TEST(PlanOfWindows, HasEveryEdge) {
  const Grid grid{6, 4};
  const ViewPlan plan = plan_of_windows(2, grid, 2), raster = full_plan(1, grid);
  const at::Tensor slot_of_patch = plan.order_BL[0].argsort();
  for (int64_t image = 0; image < 2; ++image) {
    for (int64_t slot = 0; slot < grid.patches(); ++slot) {
      const int64_t patch = plan.order_BL[image][slot].item<int64_t>();
      for (int64_t around = 0; around < 9; ++around) {
        const int64_t near = raster.neighbours_BL9[0][patch][around].item<int64_t>();
        const int64_t wanted = near < 0 ? -1 : slot_of_patch[near].item<int64_t>();
        EXPECT_EQ(plan.neighbours_BL9[image][slot][around].item<int64_t>(), wanted);
      }
    }
  }
}

TEST(PlanOfWindows, SaysWhichImagesItsWindowsDoNotCutUp) {
  const std::string message = test::error_of(ExitCode::kUsage, [] {
    plan_of_windows(1, {64, 40}, 16);
  });
  EXPECT_NE(message.find("windows of 16 x 16 patches"), std::string::npos) << message;
  EXPECT_NE(message.find("64 x 40 patches"), std::string::npos) << message;
  EXPECT_THROW(plan_of_windows(1, {4, 4}, 0), Error);
  EXPECT_THROW(plan_of_windows(1, {0, 4}, 2), Error);
}

}  // namespace
}  // namespace fcm::masks
