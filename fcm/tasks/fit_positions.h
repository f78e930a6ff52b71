// Position tables of files, for models that see images of another size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/checkpoint/checkpoint.h"
#include "fcm/formats/tensor_file.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/positions.h"

namespace fcm::tasks {

// As many rows as columns; fewer patches than that where they make no square.
masks::Grid square_of(int64_t patches);

// Patches of the images that the checkpoint was trained on: by its recipe, or a square of
// `patches` where it has none.
masks::Grid grid_of_positions(const checkpoint::Checkpoint& checkpoint, int64_t patches);

// Makes `table` a view of these values in float32; what is returned owns its bytes from then on.
at::Tensor replace_values(formats::TensorView& table, const at::Tensor& values);

// `table`, [1, T, C] or [T, C], has class tokens in front of the patches of `from`. It becomes that
// of `to` in float32 (nn::resize_positions), and what is returned owns its bytes from then on.
// Undefined: nothing was changed, because the grids are the same, or because the table has not as
// many patches as `from`, which train::load_model reports.
at::Tensor fit_positions(formats::TensorView& table, int64_t class_tokens, masks::Grid from,
                         masks::Grid to, nn::PositionFilter filter = nn::PositionFilter::kBicubic);

// The same for a table of relative positions, [(2 * w - 1)^2, heads], of windows of another size:
// `rows`, those of the model's (nn::resize_relative_table). Undefined where it has as many, or is
// no such table.
at::Tensor fit_relative_table(formats::TensorView& table, int64_t rows);

}  // namespace fcm::tasks
