// Windows of a map's cells as constants: which cells stand in which window, and which of them must
// not see each other.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "fcm/interop/onnx/graph.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// Cells in raster order, cut into windows of side x side and moved up and left by `shift` of them:
// what leaves the map comes back at the opposite border, as in the published programs. Windows that
// reach beyond the map are filled up.
struct WindowTable {
  int64_t side = 0, windows = 0;
  // int64, [windows * side * side]: the cell there; where there is none `cells` (filled) or any.
  at::Tensor cells_WT;
  at::Tensor places_L;  // int64: where each cell is in cells_WT
  // [windows, 1, T, T]: 0, and kApart where two cells of a window are not neighbours in the map, or
  // one of them is none. Undefined where that is nowhere.
  at::Tensor apart_W1TT;
  int64_t cells = 0;   // of the map
  bool fills = false;  // cells_WT holds `cells`
};

// Added to a score: nothing is left of it, and it is a number in half precision too.
inline constexpr double kApart = -1e4;

// filled: what a window is filled up with is attended to, as the zeros in published detectors.
WindowTable window_table(masks::Grid cells, int64_t side, int64_t shift, bool filled);

// The table as constants of a graph, for all blocks of a stage.
struct Windows {
  WindowTable table;
  Value cells, places, apart;  // apart: empty where there is none
};
Windows add_windows(Graph& graph, const std::string& place, const WindowTable& table);

// x [N, L, C] -> [N * windows, side * side, C], and back.
Value in_windows(Graph& graph, const std::string& place, const Value& x_NLC, const Windows& windows,
                 int64_t channels);
Value out_of_windows(Graph& graph, const std::string& place, const Value& x_STC,
                     const Windows& windows, int64_t channels);

}  // namespace fcm::interop::onnx
