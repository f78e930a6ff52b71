#include "fcm/interop/onnx/windows.h"

#include <ATen/ATen.h>

#include <vector>

namespace fcm::interop::onnx {
namespace {

// One axis of `size` cells after padding and shifting: position in the windows -> cell, -1 for
// padding.
std::vector<int64_t> moved_axis(int64_t size, int64_t side, int64_t shift) {
  const int64_t filled = (size + side - 1) / side * side;
  std::vector<int64_t> cells;
  for (int64_t place = 0; place < filled; ++place) {
    const int64_t cell = (place + shift) % filled;
    cells.push_back(cell < size ? cell : -1);
  }
  return cells;
}

// Numbers the regions of a shifted axis. Cells of a window attend to each other if their numbers
// are equal; cells that were wrapped around from the opposite border have another number.
std::vector<int64_t> regions(int64_t size, int64_t side, int64_t shift, bool filled) {
  const int64_t whole = (size + side - 1) / side * side;
  std::vector<int64_t> region;
  for (int64_t place = 0; place < whole; ++place) {
    const int64_t cell = (place + shift) % whole;
    region.push_back(cell >= size && !filled ? -1 : (cell + side - shift) / side);
  }
  return region;
}

}  // namespace

WindowTable window_table(masks::Grid cells, int64_t side, int64_t shift, bool filled) {
  const std::vector<int64_t> rows = moved_axis(cells.rows, side, shift),
                             cols = moved_axis(cells.cols, side, shift),
                             down = regions(cells.rows, side, shift, filled),
                             across = regions(cells.cols, side, shift, filled);
  const int64_t tokens = side * side, windows_across = std::ssize(cols) / side;
  WindowTable table;
  table.side = side;
  table.windows = std::ssize(rows) / side * windows_across;
  table.cells = cells.patches();
  table.cells_WT = at::zeros({table.windows * tokens}, at::kLong);
  table.indices_L = at::empty({table.cells}, at::kLong);
  at::Tensor region_WT = at::empty({table.windows, tokens}, at::kLong);
  auto* cell_of = table.cells_WT.mutable_data_ptr<int64_t>();
  auto* place_of = table.indices_L.mutable_data_ptr<int64_t>();
  auto* region_of = region_WT.mutable_data_ptr<int64_t>();
  for (int64_t r = 0; r < std::ssize(rows); ++r) {
    for (int64_t c = 0; c < std::ssize(cols); ++c) {
      const auto i = static_cast<size_t>(r), j = static_cast<size_t>(c);
      const int64_t place =
          (r / side * windows_across + c / side) * tokens + r % side * side + c % side;
      const bool inside = rows[i] >= 0 && cols[j] >= 0;
      const bool seen = down[i] >= 0 && across[j] >= 0;
      // The factor exceeds the number of regions of an axis.
      region_of[place] = seen ? down[i] * (cells.cols + 2) + across[j] : -1;
      if (inside) {
        cell_of[place] = rows[i] * cells.cols + cols[j];
        place_of[cell_of[place]] = place;
      } else if (filled) {
        cell_of[place] = table.cells;
        table.attends_to_padding = true;
      }
    }
  }
  const at::Tensor apart_WTT = region_WT.unsqueeze(2) != region_WT.unsqueeze(1);
  if (apart_WTT.any().item<bool>()) {
    table.mask_W1TT = (apart_WTT.to(at::kFloat) * kMaskedScore).unsqueeze(1);
  }
  return table;
}

Windows add_windows(Graph& graph, const std::string& place, const WindowTable& table) {
  Windows windows{table,
                  graph.constant(place + "/window_cells", table.cells_WT),
                  graph.constant(place + "/window_places", table.indices_L),
                  {}};
  if (table.mask_W1TT.defined()) {
    windows.mask = graph.constant(place + "/window_mask", table.mask_W1TT);
  }
  return windows;
}

Value in_windows(Graph& graph, const std::string& place, const Value& x_NLC, const Windows& windows,
                 int64_t channels) {
  Value x = x_NLC;
  if (windows.table.attends_to_padding) {  // appends a row of zeros to the cells
    x = graph.add(place, "Pad", {x, graph.numbers({0, 0, 0, 0, 1, 0})});
  }
  x = graph.add(place, "Gather", {x, windows.cells}, {{"axis", int64_t{1}}});
  return graph.reshape(place, x, {kInferDim, windows.table.side * windows.table.side, channels});
}

Value out_of_windows(Graph& graph, const std::string& place, const Value& x_STC,
                     const Windows& windows, int64_t channels) {
  const int64_t tokens = windows.table.side * windows.table.side;
  const Value x_NTC =
      graph.reshape(place, x_STC, {kInferDim, windows.table.windows * tokens, channels});
  return graph.add(place, "Gather", {x_NTC, windows.indices}, {{"axis", int64_t{1}}});
}

}  // namespace fcm::interop::onnx
