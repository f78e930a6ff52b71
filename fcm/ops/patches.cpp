#include "fcm/ops/patches.h"

namespace fcm::ops {

int64_t PatchGeometry::patch_side() const {
  int64_t side = 1;
  for (const int64_t stride : strides) side *= stride;
  return side;
}

Cells PatchGeometry::cells(int64_t stage) const {
  // From the last stage, which has one cell, down to the requested stage, each cell splits into
  // stride x stride cells.
  Cells cells{1, {0}};
  for (auto later = static_cast<int64_t>(strides.size()) - 1; later > stage; --later) {
    const int64_t split = strides[static_cast<size_t>(later)];
    Cells finer{cells.side * split, {}};
    for (const int64_t place : cells.raster) {
      const int64_t row = place / cells.side * split;
      const int64_t col = place % cells.side * split;
      for (int64_t inner = 0; inner < split * split; ++inner) {
        finer.raster.push_back((row + inner / split) * finer.side + col + inner % split);
      }
    }
    cells = finer;
  }
  return cells;
}

std::vector<int64_t> PatchGeometry::pixel_order() const {
  const Cells first = cells(0);
  const int64_t stride = strides.front();
  const int64_t side = patch_side();
  std::vector<int64_t> order;
  for (const int64_t cell : first.raster) {
    const int64_t row = cell / first.side * stride;
    const int64_t col = cell % first.side * stride;
    for (int64_t inner = 0; inner < stride * stride; ++inner) {
      order.push_back((row + inner / stride) * side + col + inner % stride);
    }
  }
  return order;
}

}  // namespace fcm::ops
