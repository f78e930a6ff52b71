#include "fcm/image/mask_window.h"

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/image/run_builder.h"

namespace fcm::image {
namespace {

// Source positions of the output pixels [first, first + count) when `from` pixels are resized to
// `to`; a position beyond the last source pixel is `from`. As in Pillow, the step is accumulated,
// which rounds differently from a product.
std::vector<int64_t> nearest_positions(int64_t from, int64_t to, int64_t first, int64_t count) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  std::vector<int64_t> positions;
  double at = step * 0.5;
  for (int64_t i = 0; i < first + count; ++i, at += step) {
    if (i >= first) positions.push_back(std::min(static_cast<int64_t>(at), from));
  }
  return positions;
}

// Output rows [begin, end) that belong to the object in a source column.
struct ColumnStretch {
  int64_t col, begin, end;
};

}  // namespace

RunLengths resize_mask(const RunLengths& mask, const MaskWindow& view) {
  const Box& window = view.window;
  require(window.rows >= 1 && window.cols >= 1 && window.top >= 0 && window.left >= 0 &&
              window.top + window.rows <= view.to_rows &&
              window.left + window.cols <= view.to_cols && window.rows <= view.canvas_rows &&
              window.cols <= view.canvas_cols,
          "resize_mask: {}x{} at ({}, {}) must lie inside {}x{} and fit a canvas of {}x{}",
          window.rows, window.cols, window.top, window.left, view.to_rows, view.to_cols,
          view.canvas_rows, view.canvas_cols);
  const auto rows = nearest_positions(mask.rows, view.to_rows, window.top, window.rows);
  const auto cols = nearest_positions(mask.cols, view.to_cols, window.left, window.cols);
  std::vector<ColumnStretch> stretches;
  for_object_rows(mask, cols.front(), std::min(cols.back() + 1, mask.cols),
                  [&](int64_t col, int64_t begin, int64_t end) {
                    if (!std::ranges::binary_search(cols, col)) return;
                    const auto row_of = [&](int64_t row) {
                      return std::ranges::lower_bound(rows, row) - rows.begin();
                    };
                    stretches.push_back({col, row_of(begin), row_of(end)});
                  });
  std::vector<int64_t> places;
  for (int64_t col = 0; col < window.cols; ++col) {
    const int64_t source = cols[static_cast<size_t>(col)];
    const int64_t on_canvas = view.mirror ? view.canvas_cols - 1 - col : col;
    auto stretch = std::ranges::lower_bound(stretches, source, {}, &ColumnStretch::col);
    for (; stretch != stretches.end() && stretch->col == source; ++stretch) {
      if (stretch->begin == stretch->end) continue;
      places.push_back(on_canvas * view.canvas_rows + stretch->begin);
      places.push_back(on_canvas * view.canvas_rows + stretch->end);
    }
  }
  return run_lengths_of_changes(places, view.canvas_rows, view.canvas_cols);
}

}  // namespace fcm::image
