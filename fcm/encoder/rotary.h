// Rotary positions as DINOv3 has them: queries and keys of a patch are turned by angles that grow
// with its row and its column, so that their products know how far patches are apart. Source:
// dinov3/layers/rope_position_encoding.py and attention.py of facebookresearch/dinov3, with
// coordinates normalised "separate" and none of what is random in training.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/masks/view_plan.h"

namespace fcm::encoder {

// Cosines and sines of the patches' angles, [B, L, 1, D / 2] for heads of D channels.
struct Rotation {
  at::Tensor cos_BL1E, sin_BL1E;
};

// Row r of R lies at 2 * (r + 0.5) / R - 1, columns likewise. Of the D / 2 angles of a head the
// first half is of the row, the second of the column: angle j of either is 2 pi times the
// coordinate times base^(-4 j / D). order_BL: slot -> patch in raster order, whose device the
// result is on; float32, or float64 where `compute` is that. head_dim must be a multiple of 4.
Rotation rotation_of(masks::Grid grid, const at::Tensor& order_BL, int64_t head_dim, double base,
                     at::ScalarType compute);

// Turns queries and keys of the last L tokens of qkv [B, T, 3 * heads * D] (as ops::attention takes
// it) in place: channel e of a head and channel e + D / 2 are a vector that is turned by angle e.
void rotate_patches(const at::Tensor& qkv_BTC, const Rotation& rotation, int64_t heads);

}  // namespace fcm::encoder
