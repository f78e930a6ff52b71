// Windows of a map's cells as constants: the cells of each window, and the pairs to mask.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "fcm/interop/onnx/graph.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// Cells in raster order, cut into windows of side x side, shifted up and left by `shift` cells:
// cells shifted out wrap around to the opposite border, as upstream. Windows that reach beyond the
// map are padded.
struct WindowTable {
  int64_t side = 0, windows = 0;
  // int64, [windows * side * side]: the cell there; for padding `cells` if filled, else any.
  at::Tensor cells_WT;
  at::Tensor indices_L;  // int64: index of each cell in cells_WT
  // Mask [windows, 1, T, T]: kApart for pairs of cells that are not close in the map or of which
  // one is padding, else 0. Undefined if there is no such pair.
  at::Tensor apart_W1TT;
  int64_t cells = 0;                // number of cells in the map
  bool attends_to_padding = false;  // cells_WT contains `cells`: padding is used
};

// Added to a masked score: softmax makes it 0, and it is finite in half precision too.
inline constexpr double kApart = -1e4;

// filled: tokens attend to the padding too, as to the zeros in upstream detectors.
WindowTable window_table(masks::Grid cells, int64_t side, int64_t shift, bool filled);

// The table as constants of a graph, shared by all blocks of a stage.
struct Windows {
  WindowTable table;
  Value cells, places, apart;  // apart: empty without masked pairs
};
Windows add_windows(Graph& graph, const std::string& place, const WindowTable& table);

// x [N, L, C] -> [N * windows, side * side, C], and back.
Value in_windows(Graph& graph, const std::string& place, const Value& x_NLC, const Windows& windows,
                 int64_t channels);
Value out_of_windows(Graph& graph, const std::string& place, const Value& x_STC,
                     const Windows& windows, int64_t channels);

}  // namespace fcm::interop::onnx
