// Which cells attend to each other in a stage of windows.
#pragma once

#include <cstdint>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::masks {

// A stage of windows: patches are cut into `cells`; windows of `side` x `side` cells, moved up and
// left by `shift` of them.
struct Windows {
  ops::Cells cells;
  int64_t side = 0, shift = 0;
  // Rows and columns of cells are filled up to a multiple of `side`: behind the tokens of a picture
  // stand as many as are missing (WindowSets::filling). Of plans that show all patches in one view.
  bool filled = false;
};

// The sets of the tokens [B, slots * cells]: the first `slots` slots of the plan, cells as stored.
// A set is what one window holds; by_view: what it holds of one view. Windows do not wrap around:
// what a cyclic shift would bring together and then mask apart are the parts of windows at opposite
// borders, here sets of their own. (Source: GreenMIM, and models/swin_transformer.py of SimMIM for
// what is masked.) One plan where all pictures have the same order, else one for each. Lies where
// the plan does.
ops::WindowSets window_sets(const ViewPlan& plan, int64_t slots, const Windows& windows,
                            bool by_view);

// Of detectors, whose windows are views (plan_of_windows). All have one plan for all pictures.
//
// The patches of one window, the one set of [B * windows, window * window]. The table has
// (2 * window - 1)^2 rows.
ops::WindowSets set_of_window(int64_t window);
// All patches of the plan's pictures, which have one order, in one set. The table has
// (2 * rows - 1) * (2 * cols - 1) rows. Lies where the plan does.
ops::WindowSets set_of_map(const ViewPlan& plan);

// Windows that need not cut up the grid, from its upper left corner on; those at the other borders
// are filled up. Of patches in raster order, all int64.
struct FilledWindows {
  // [windows, window * window], row by row: the patch there, grid.patches() where there is none.
  at::Tensor patches_WT;
  at::Tensor places_L;  // where each patch is in patches_WT, flat
};
FilledWindows filled_windows(Grid grid, int64_t window);

}  // namespace fcm::masks
