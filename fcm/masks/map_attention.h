// Attention of all patches of an image to each other, with biases by relative position.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::masks {

struct MapAttention {
  ops::WindowSets sets;
  // int64: for each entry of the sets' table, its row in upstream's table. Undefined: both tables
  // have the same rows in the same order.
  at::Tensor published_E;

  // The table for `sets`, selected from upstream's table [R, heads].
  at::Tensor table(const at::Tensor& published_RH) const;
};

// Tokens are the class token, if there is one, and the patches in raster order. Upstream's table is
// for the grid `trained`: (2 * rows - 1) * (2 * cols - 1) rows, and with a class token three more:
// for the class token as the query, as the key, and as both. On a larger grid `now`, distances
// beyond the trained ones use the bias of the largest trained distance.
MapAttention map_attention(Grid trained, Grid now, bool class_token);

// Number of rows of upstream's table.
int64_t upstream_table_rows(Grid trained, bool class_token);

}  // namespace fcm::masks
