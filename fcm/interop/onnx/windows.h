// Attention windows of a feature map as constants of an ONNX graph: the cells of each window, and
// the pairs of cells to mask.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "fcm/interop/onnx/graph.h"
#include "fcm/masks/view_plan.h"

namespace fcm::interop::onnx {

// A map's cells in raster order, shifted up and left by `shift` cells, then cut into windows of
// side x side. As upstream, cells shifted out of the map wrap around to the opposite border.
// Windows that reach beyond the map are padded.
struct WindowTable {
  int64_t side = 0, windows = 0;
  // int64, [windows * side * side]: the raster index of the cell at each position of each window. A
  // padded position holds the value of `cells` (the index of an appended row of zeros) if padding
  // is filled, else 0, which has no effect because of the mask.
  at::Tensor cells_WT;
  at::Tensor indices_L;  // int64: the position of each cell in cells_WT
  // Mask [windows, 1, T, T]: kMaskedScore for masked pairs, else 0; undefined if no pair is masked.
  // A pair of cells is masked if the two are in one window only because the shift wrapped around
  // the map. Pairs of a cell and padding are masked too unless padding is filled.
  at::Tensor mask_W1TT;
  int64_t cells = 0;                // number of cells in the map
  bool attends_to_padding = false;  // there is padding, and it is not masked
};

// Added to the score of a masked pair, whose weight after softmax is then 0. The value is finite in
// half precision.
inline constexpr double kMaskedScore = -1e4;

// filled: padding consists of zeros that tokens attend to, as in upstream's detectors; otherwise
// padding is masked.
WindowTable window_table(masks::Grid cells, int64_t side, int64_t shift, bool filled);

// The table as constants of a graph, shared by all blocks of a stage.
struct Windows {
  WindowTable table;
  Value cells, indices, mask;  // cells_WT, indices_L, mask_W1TT; mask: empty if nothing is masked
};
Windows add_windows(Graph& graph, const std::string& place, const WindowTable& table);

// x [N, L, C] -> [N * windows, side * side, C], and back.
Value in_windows(Graph& graph, const std::string& place, const Value& x_NLC, const Windows& windows,
                 int64_t channels);
Value out_of_windows(Graph& graph, const std::string& place, const Value& x_STC,
                     const Windows& windows, int64_t channels);

}  // namespace fcm::interop::onnx
