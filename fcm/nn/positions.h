// Position tables that fit another grid of patches.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace fcm::nn {

// How the rows of a table are interpolated, always bicubic (PyTorch's, edges not aligned).
enum class PositionFilter {
  kBicubic,    // MAE's util/pos_embed.py and transformers' CLIP and SigLIP
  kOffset,     // distances by (new + 0.1) / old cells in place of new / old: DINOv2
  kAntialias,  // a wider filter where there are fewer new cells: DINOv2 with registers
};

// positions_1TC: class tokens, if any, then from_rows * from_cols patches in raster order. Returns
// [1, T', C] of the same type for to_rows * to_cols patches: bicubic interpolation of the patches
// (PyTorch's, edges not aligned), class tokens as they are. A table of that grid already comes back
// unchanged. Sources: MAE's util/pos_embed.py interpolate_pos_embed and DINO's
// interpolate_pos_encoding, for grids that need not be square; dinov2's
// interpolate_pos_encoding, whose hub entries say offset 0.1, and antialias with registers.
at::Tensor resize_positions(const at::Tensor& positions_1TC, int64_t from_rows, int64_t from_cols,
                            int64_t to_rows, int64_t to_cols,
                            PositionFilter filter = PositionFilter::kBicubic);

// A table of relative positions, [(2 * from - 1)^2, heads], for windows of `to` cells. The old
// positions are spread so that they lie closer in the middle, and reach as far as the new ones; a
// bicubic spline goes through the old values (without knots next to the ends). The same type; of
// the same window unchanged. Source: SimMIM's utils.py remap_pretrained_keys_swin, after BEiT.
at::Tensor resize_relative_table(const at::Tensor& table_RH, int64_t from, int64_t to);

}  // namespace fcm::nn
