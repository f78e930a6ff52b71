#include "fcm/masks/map_attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace fcm::masks {
namespace {

// The index in a table for `trained` rows (or columns) of the distance `index - (now - 1)`, clamped
// to the distances that the table holds.
int64_t clamped_distance(int64_t index, int64_t now, int64_t trained) {
  return std::clamp(index - (now - 1), -(trained - 1), trained - 1) + trained - 1;
}

}  // namespace

int64_t upstream_table_rows(Grid trained, bool class_token) {
  return (2 * trained.rows - 1) * (2 * trained.cols - 1) + (class_token ? 3 : 0);
}

MapAttention map_attention(Grid trained, Grid now, bool class_token) {
  MapAttention result{ops::make_map_set(now.rows, now.cols, class_token), {}};
  if (!class_token && trained.rows == now.rows && trained.cols == now.cols) return result;
  std::vector<int64_t> rows(static_cast<size_t>(result.sets.table_rows), 0);
  const int64_t down = 2 * now.rows - 1, across = 2 * now.cols - 1;
  for (int64_t i = 0; i < down * across; ++i) {
    rows[static_cast<size_t>(i)] =
        clamped_distance(i / across, now.rows, trained.rows) * (2 * trained.cols - 1) +
        clamped_distance(i % across, now.cols, trained.cols);
  }
  if (class_token) {
    const ops::ClassEntries of_class = ops::class_entries(now.rows, now.cols);
    const int64_t first = upstream_table_rows(trained, false);
    std::fill_n(rows.begin() + of_class.first_query, of_class.count, first);
    std::fill_n(rows.begin() + of_class.first_key, of_class.count, first + 1);
    rows[static_cast<size_t>(of_class.both)] = first + 2;
  }
  result.published_E = at::tensor(at::ArrayRef<int64_t>(rows), at::kLong);
  return result;
}

at::Tensor MapAttention::table(const at::Tensor& published_RH) const {
  if (!published_E.defined()) return published_RH;
  return published_RH.index_select(0, published_E.to(published_RH.device()));
}

}  // namespace fcm::masks
