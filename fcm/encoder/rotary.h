// DINOv3's rotary position embedding: queries and keys of a patch are rotated by angles
// proportional to the patch's row and column, so that positions enter the dot product of a query
// and a key only as the offset between their patches. Source:
// dinov3/layers/rope_position_encoding.py and attention.py of facebookresearch/dinov3, with
// normalize_coords = "separate" and without the random augmentations of training.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "fcm/masks/view_plan.h"

namespace fcm::encoder {

// Cosines and sines of the rotation angles of all patches, [B, L, 1, E] with E = D / 2 for heads of
// D channels.
struct Rotation {
  at::Tensor cos_BL1E, sin_BL1E;
};

// Row r of R rows has the coordinate 2 * (r + 0.5) / R - 1; columns have theirs by the same rule.
// Of the D / 2 angles of a head the first half belongs to the row, the second half to the column:
// angle j of a half is 2 pi * coordinate * base^(-4 j / D). order_BL: slot -> patch in raster
// order. The result is on the device of order_BL, float32, or float64 if `compute` is. head_dim (D)
// must be a multiple of 4.
Rotation rotation_of(masks::Grid grid, const at::Tensor& order_BL, int64_t head_dim, double base,
                     at::ScalarType compute);

// Rotates queries and keys of the last L tokens of qkv [B, T, 3 * heads * D] (the layout of
// ops::attention) in place: channels e and e + D / 2 of a head form a 2D vector, which is rotated
// by angle e.
void rotate_patches(const at::Tensor& qkv_BTC, const Rotation& rotation, int64_t heads);

}  // namespace fcm::encoder
