// Resizes position tables of files for models with images of another size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/tensor_file.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/positions.h"

namespace fcm::tasks {

// The largest square grid of at most `patches` patches.
masks::Grid square_of(int64_t patches);

// The grid of patches that the checkpoint was trained on: from its recipe, or without a recipe
// square_of(patches).
masks::Grid grid_of_positions(const checkpoint::Checkpoint& checkpoint, int64_t patches);

// Makes `table` a view of `values` in float32. The returned tensor owns the bytes of the view.
at::Tensor replace_values(formats::TensorView& table, const at::Tensor& values);

// Resizes a position table from the grid `from` to the grid `to` in float32 (nn::resize_positions).
// `table` is [1, T, C] or [T, C], with class tokens before the patches. The returned tensor owns
// the bytes of the table. Undefined if nothing was changed: the grids are equal, or the table does
// not have the patches of `from`, which train::load_model then reports.
at::Tensor fit_positions(formats::TensorView& table, int64_t class_tokens, masks::Grid from,
                         masks::Grid to, nn::PositionFilter filter = nn::PositionFilter::kBicubic);

// Resizes a relative position table [(2 * w - 1)^2, heads] of windows of side w to the model's
// number of rows `rows` (nn::resize_relative_table). The returned tensor owns the bytes of the
// table. Undefined if the number is equal, or if `table` or `rows` is not of this form.
at::Tensor fit_relative_table(formats::TensorView& table, int64_t rows);

}  // namespace fcm::tasks
