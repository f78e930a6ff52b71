// Every patch of a picture attends to every other one, with biases by relative position.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/masks/view_plan.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::masks {

struct MapAttention {
  ops::WindowSets sets;
  // int64: the row of the published table that each entry of the sets' table has. Undefined: they
  // are the same rows in the same order.
  at::Tensor published_E;

  // The table for `sets`, of a published one [R, heads].
  at::Tensor table(const at::Tensor& published_RH) const;
};

// Patches in raster order, behind a class token if there is one. The published table is that of
// the grid `trained`, (2 * rows - 1) * (2 * cols - 1) rows, and three more with a class token: for
// it as the query, as the key, as both. On a larger grid distances beyond its own take the bias of
// the largest one.
MapAttention map_attention(Grid trained, Grid now, bool class_token);

// Rows of that published table.
int64_t published_rows(Grid trained, bool class_token);

}  // namespace fcm::masks
