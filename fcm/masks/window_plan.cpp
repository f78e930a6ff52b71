#include "fcm/masks/window_plan.h"

#include <ATen/ATen.h>

#include <cstring>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::masks {
namespace {

// The inputs of tokens_of that all images of a plan share.
struct CellMap {
  const ViewPlan& plan;
  int64_t slots;
  const Windows& windows;
  std::vector<int32_t> view_of_slot;          // all 0: views see each other
  std::vector<int64_t> stored_index_of_cell;  // row * side + col within a patch -> stored index
  int64_t windows_down, windows_across;
};

CellMap cell_map(const ViewPlan& plan, int64_t slots, const Windows& windows, bool by_view) {
  CellMap map{plan, slots, windows, {}, {}, 0, 0};
  for (size_t view = 0; view < plan.sizes.size(); ++view) {
    map.view_of_slot.insert(map.view_of_slot.end(), static_cast<size_t>(plan.sizes[view]),
                            by_view ? static_cast<int32_t>(view) : 0);
  }
  map.stored_index_of_cell.resize(windows.cells.raster.size());
  for (size_t stored_index = 0; stored_index < windows.cells.raster.size(); ++stored_index) {
    map.stored_index_of_cell[static_cast<size_t>(windows.cells.raster[stored_index])] =
        static_cast<int64_t>(stored_index);
  }
  // One more window before the image because of the shift, and one for a partial window at its end.
  map.windows_down = plan.grid.rows * windows.cells.side / windows.side + 2;
  map.windows_across = plan.grid.cols * windows.cells.side / windows.side + 2;
  return map;
}

// How many rows (or columns) of cells to list if the map has `cells` of them: rounded up to whole
// windows if tokens attend to padding.
int64_t padded_extent(const CellMap& map, int64_t cells) {
  const int64_t side = map.windows.side;
  return map.windows.attends_to_padding ? (cells + side - 1) / side * side : cells;
}

// The tokens of an image in raster order, so the tokens of each set are in raster order too.
std::vector<ops::PlacedToken> tokens_of(const CellMap& map, const int64_t* order) {
  const Grid grid = map.plan.grid;
  const int64_t side = map.windows.cells.side, count = map.windows.cells.count();
  const int64_t before = map.windows.side - map.windows.shift;
  std::vector<int64_t> slot_of_patch(static_cast<size_t>(grid.patches()));
  for (int64_t slot = 0; slot < grid.patches(); ++slot) {
    slot_of_patch[static_cast<size_t>(order[slot])] = slot;
  }
  std::vector<ops::PlacedToken> tokens;
  tokens.reserve(static_cast<size_t>(map.slots * count));
  int64_t padding = map.slots * count;  // index of the next padding token
  for (int64_t row = 0; row < padded_extent(map, grid.rows * side); ++row) {
    for (int64_t col = 0; col < padded_extent(map, grid.cols * side); ++col) {
      const bool outside = row >= grid.rows * side || col >= grid.cols * side;
      const int64_t patch = row / side * grid.cols + col / side;
      const int64_t slot = outside ? 0 : slot_of_patch[static_cast<size_t>(patch)];
      if (slot >= map.slots) continue;
      const int64_t cell = row % side * side + col % side;
      const int64_t set = (map.view_of_slot[static_cast<size_t>(slot)] * map.windows_down +
                           (row + before) / map.windows.side) *
                              map.windows_across +
                          (col + before) / map.windows.side;
      const int64_t token =
          outside ? padding++ : slot * count + map.stored_index_of_cell[static_cast<size_t>(cell)];
      tokens.push_back({static_cast<int32_t>(token), static_cast<int32_t>(set),
                        static_cast<int32_t>(row), static_cast<int32_t>(col)});
    }
  }
  return tokens;
}

bool all_alike(const at::Tensor& order_BL) {
  const auto* first = order_BL.const_data_ptr<int64_t>();
  const int64_t patches = order_BL.size(1);
  for (int64_t image = 1; image < order_BL.size(0); ++image) {
    if (std::memcmp(first, first + image * patches,
                    static_cast<size_t>(patches) * sizeof(int64_t)) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

ops::WindowSets window_sets(const ViewPlan& plan, int64_t slots, const Windows& windows,
                            bool by_view) {
  require(windows.side >= 1 && windows.shift >= 0 && windows.shift < windows.side,
          "window_sets: expected a shift from 0 to the window side - 1, got side {} and shift {}",
          windows.side, windows.shift);
  require(
      !windows.attends_to_padding || (plan.sizes.size() == 1 && slots == plan.patches()),
      "window_sets: expected all patches in one view for padded windows, got {} of {} in {} views",
      slots, plan.patches(), plan.sizes.size());
  const CellMap map = cell_map(plan, slots, windows, by_view);
  const at::Tensor order_BL = plan.cpu_order_BL.contiguous();
  const auto* order = order_BL.const_data_ptr<int64_t>();
  std::vector<std::vector<ops::PlacedToken>> images;
  const int64_t plans = plan.batch() > 0 && all_alike(order_BL) ? 1 : plan.batch();
  for (int64_t image = 0; image < plans; ++image) {
    images.push_back(tokens_of(map, order + image * plan.patches()));
  }
  ops::WindowSets sets = ops::make_window_sets(images, windows.side);
  sets.padding = sets.tokens() - slots * windows.cells.count();
  return sets.to(plan.order_BL.device());
}

ops::WindowSets set_of_window(int64_t window) {
  return set_of_map(plan_of_windows(1, {window, window}, window));
}

ops::WindowSets set_of_map(const ViewPlan& plan) {
  const at::Tensor order_BL = plan.cpu_order_BL.contiguous();
  require(plan.batch() > 0 && all_alike(order_BL),
          "set_of_map: expected one image, or several with equal orders of patches, got {} images",
          plan.batch());
  ops::WindowSets sets = ops::make_map_set(plan.grid.rows, plan.grid.cols, /*class_token=*/false);
  // A set lists its tokens in raster order, so these are the slots of the patches in raster order.
  sets.tokens_PT = order_BL[0].argsort().to(at::kInt).unsqueeze(0);
  return sets.to(plan.order_BL.device());
}

PaddedWindows padded_windows(Grid grid, int64_t window) {
  require(window >= 1, "padded_windows: expected windows of at least 1 patch, got {}", window);
  const int64_t down = (grid.rows + window - 1) / window,
                across = (grid.cols + window - 1) / window;
  PaddedWindows result{
      at::full({down * across, window * window}, grid.patches(), at::kLong),
      at::empty({grid.patches()}, at::kLong),
  };
  auto* patches = result.patches_WT.mutable_data_ptr<int64_t>();
  auto* places = result.indices_L.mutable_data_ptr<int64_t>();
  for (int64_t row = 0; row < grid.rows; ++row) {
    for (int64_t col = 0; col < grid.cols; ++col) {
      const int64_t place = (row / window * across + col / window) * window * window +
                            row % window * window + col % window;
      patches[place] = row * grid.cols + col;
      places[row * grid.cols + col] = place;
    }
  }
  return result;
}

}  // namespace fcm::masks
