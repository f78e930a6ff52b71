// Resizes tables of positions to another grid of patches, and tables of relative positions to
// windows of another size.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::nn {

// Variants of PyTorch's bicubic interpolation (align_corners=False).
enum class PositionFilter {
  kBicubic,    // plain: MAE's util/pos_embed.py and transformers' CLIP and SigLIP
  kOffset,     // scale (new + 0.1) / old instead of new / old: DINOv2
  kAntialias,  // antialiased (wider filter when downsampling): DINOv2 with registers
};

// positions_1TC: class tokens, if any, then from_rows * from_cols patches in raster order. Returns
// [1, T', C] of the same type for to_rows * to_cols patches: the patches are interpolated, class
// tokens are unchanged. A table of the target grid is returned unchanged. Sources: MAE's
// util/pos_embed.py interpolate_pos_embed and DINO's interpolate_pos_encoding, extended to grids
// that are not square; dinov2's interpolate_pos_encoding, whose hub entries use offset 0.1, or
// antialias for models with registers.
at::Tensor resize_positions(const at::Tensor& positions_1TC, int64_t from_rows, int64_t from_cols,
                            int64_t to_rows, int64_t to_cols,
                            PositionFilter filter = PositionFilter::kBicubic);

// Resizes a table of relative positions from windows of `from` x `from` cells,
// [(2 * from - 1)^2, heads], to windows of `to` x `to` cells, [(2 * to - 1)^2, heads]. The old
// positions are spread geometrically, denser in the middle, over the extent of the new ones; a
// cubic spline (not-a-knot) interpolates the old values. The result has the table's type; for
// from == to it is the table itself. Source: SimMIM's utils.py remap_pretrained_keys_swin, after
// BEiT.
at::Tensor resize_relative_table(const at::Tensor& table_RH, int64_t from, int64_t to);

}  // namespace fcm::nn
