// Attention windows of a feature map as constants of an ONNX graph: the cells of each window, and
// the pairs of cells to mask.
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
  // int64, [windows * side * side]: the raster index of the cell at each position of each window.
  // At padding: `cells` if filled, else 0, which has no effect because padding is masked.
  at::Tensor cells_WT;
  at::Tensor indices_L;  // int64: index of each cell in cells_WT
  // Mask [windows, 1, T, T]: kMaskedScore for masked pairs, else 0; undefined if no pair is masked.
  // Two cells are masked if only the shift brought them together, from opposite borders of the map.
  // Unless filled, a cell and padding are masked too.
  at::Tensor mask_W1TT;
  int64_t cells = 0;                // number of cells in the map
  bool attends_to_padding = false;  // there is padding, and it is not masked
};

// Added to the score of a masked pair: its weight after softmax is 0. Finite in half
// precision.
inline constexpr double kMaskedScore = -1e4;

// filled: padding consists of zeros that tokens attend to, as in upstream's detectors; else it is
// masked.
WindowTable window_table(masks::Grid cells, int64_t side, int64_t shift, bool filled);

// The table as constants of a graph, shared by all blocks of a stage.
struct Windows {
  WindowTable table;
  Value cells, places, apart;  // apart: empty if no pair is masked
};
Windows add_windows(Graph& graph, const std::string& place, const WindowTable& table);

// x [N, L, C] -> [N * windows, side * side, C], and back.
Value in_windows(Graph& graph, const std::string& place, const Value& x_NLC, const Windows& windows,
                 int64_t channels);
Value out_of_windows(Graph& graph, const std::string& place, const Value& x_STC,
                     const Windows& windows, int64_t channels);

}  // namespace fcm::interop::onnx
