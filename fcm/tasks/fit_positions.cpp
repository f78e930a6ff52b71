#include "fcm/tasks/fit_positions.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/relative_table.h"
#include "fcm/recipe/recipe.h"
#include "fcm/train/state.h"

namespace fcm::tasks {

masks::Grid square_of(int64_t patches) {
  const auto side =
      static_cast<int64_t>(std::sqrt(static_cast<double>(std::max<int64_t>(patches, 0))));
  return {side, side};
}

masks::Grid grid_of_positions(const checkpoint::Checkpoint& checkpoint, int64_t patches) {
  if (const auto text = checkpoint.state.find("recipe"); text != checkpoint.state.end()) {
    const recipe::Recipe recipe =
        recipe::read_stored_recipe(text->get<std::string>(), checkpoint.path.string());
    const int64_t side = recipe.encoder.patch_side();
    return {recipe.data.image_size[0] / side, recipe.data.image_size[1] / side};
  }
  return square_of(patches);
}

at::Tensor replace_values(formats::TensorView& table, const at::Tensor& values) {
  at::Tensor kept = values.to(at::kFloat).contiguous();
  table.dtype = "F32";
  table.shape = kept.sizes().vec();
  table.bytes = {static_cast<const std::byte*>(kept.const_data_ptr()), kept.nbytes()};
  return kept;
}

at::Tensor fit_positions(formats::TensorView& table, int64_t class_tokens, masks::Grid from,
                         masks::Grid to, nn::PositionFilter filter) {
  const size_t dimensions = table.shape.size();
  const bool is_table = dimensions == 2 || (dimensions == 3 && table.shape[0] == 1);
  const bool same = from.rows == to.rows && from.cols == to.cols;
  if (same || !is_table || from.patches() < 1) return {};
  if (table.shape[dimensions - 2] != class_tokens + from.patches()) return {};
  at::Tensor values = train::to_tensor(table).to(at::kFloat);
  if (dimensions == 2) values = values.unsqueeze(0);
  values =
      nn::resize_positions(values, from.rows, from.cols, to.rows, to.cols, filter).contiguous();
  if (dimensions == 2) values = values.squeeze(0);
  return replace_values(table, values);
}

at::Tensor fit_relative_table(formats::TensorView& table, int64_t rows) {
  if (table.shape.size() != 2 || table.shape[0] == rows) return {};
  const int64_t from = window_of_table(table.shape[0]), to = window_of_table(rows);
  if (from < 2 || rows_of_table(from) != table.shape[0] || rows_of_table(to) != rows) return {};
  const at::Tensor values =
      nn::resize_relative_table(train::to_tensor(table).to(at::kFloat), from, to);
  return replace_values(table, values);
}

}  // namespace fcm::tasks
