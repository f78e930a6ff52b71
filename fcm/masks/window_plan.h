// Which cells attend to each other in a stage with windows.
#pragma once

#include <cstdint>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::masks {

// The windows of a stage: patches are cut into `cells`. Windows have `side` x `side` cells; borders
// between them are at `shift` plus multiples of `side`, so the first row and column of windows are
// partial if `shift` is not 0.
struct Windows {
  ops::Cells cells;
  int64_t side = 0, shift = 0;
  // Pads the rows and columns of cells to a multiple of `side`; padding tokens are stored after the
  // image's own tokens (WindowSets::padding). Requires a plan with all patches in one view.
  bool attends_to_padding = false;
};

// The sets of the tokens [B, slots * cells]: the first `slots` slots of the plan, cells in stored
// order. A set holds the tokens of one window or, with by_view, those of one window and one view.
// Windows do not wrap around: upstream's cyclic shift joins parts of windows at opposite borders
// and then masks them from each other; here these parts are separate sets. (Source: GreenMIM, and
// models/swin_transformer.py of SimMIM for the masked parts.) The result lists the sets once if all
// images have the same order, otherwise once per image. On the device of the plan.
ops::WindowSets window_sets(const ViewPlan& plan, int64_t slots, const Windows& windows,
                            bool by_view);

// For detectors, whose windows are views (plan_of_windows). The sets are the same for all images.
//
// One set with all patches of a window, for tokens [B * windows, window * window]. The table has
// (2 * window - 1)^2 rows.
ops::WindowSets set_of_window(int64_t window);
// All patches of an image in one set; all images of the plan must have the same order. The table
// has (2 * rows - 1) * (2 * cols - 1) rows. On the device of the plan.
ops::WindowSets set_of_map(const ViewPlan& plan);

// Windows that need not tile the grid. They start at the grid's upper left corner; windows that
// extend beyond its right or lower border are padded. Patches are in raster order. All tensors are
// int64.
struct PaddedWindows {
  // [windows, window * window], row by row: the patch at each position, or grid.patches() for
  // padding.
  at::Tensor patches_WT;
  at::Tensor indices_L;  // flat index of each patch in patches_WT
};
PaddedWindows padded_windows(Grid grid, int64_t window);

}  // namespace fcm::masks
