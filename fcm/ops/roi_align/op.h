// Crops boxes from feature maps: each box becomes a square of bins, and a bin is the mean of
// bilinear samples inside it. Also chooses the level of a pyramid from which a box is cropped.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::ops {

// maps: 1 to 8 maps, each [B, H, W, C] with its own H and W, all of one type: float32, bfloat16 or
// float64. boxes: [R, 4] as x0, y0, x1, y1 in pixels of the image, float32, or float64 with float64
// maps. Coordinates are computed in float32, with float64 maps in float64. image [R] and level [R],
// int64: image and map of each box. scales: 1 / stride of each map. Returns [R, bins, bins, C] of
// the maps' type; sums are in float32 (float64 for float64).
//
// Along an axis a box starts at x0 * scale - .5 and has bins of length b = (x1 - x0) * scale /
// bins, with no minimum. A bin has g = ceil(b) samples, at the middles of g equal parts. A sample
// below -1 or above H (W) is 0; others are clamped to 0 and to the last cell. A bin is the sum of
// its samples divided by their number, or 0 if there are none (an empty or inverted box). Bins are
// also 0 for a box that is non-finite or reaches further than 2^20 cells from the map's corner,
// which is larger than any image.
//
// Gradients flow to the maps only. Saves the boxes for backward, but no map. The same bits for any
// number of threads. Not differentiable twice. On a GPU image and level are not checked: they must
// be in range. Source: detectron2 layers/roi_align.py, ROIAlign(aligned=True, sampling_ratio=0).
at::Tensor roi_align(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, const at::Tensor& level_R,
                     const std::vector<double>& scales, int64_t bins);
// The definition, sample by sample, in plain tensor calls.
at::Tensor roi_align_reference(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                               const at::Tensor& image_R, const at::Tensor& level_R,
                               const std::vector<double>& scales, int64_t bins);

// The map of each box, as an index starting at 0 for level `lowest`: floor(4 + log2(sqrt(area) /
// 224 + 1e-8)) clamped to [lowest, highest], minus lowest. boxes [R, 4] float32 in pixels of the
// image -> [R] int64. A box of 224 x 224 has level 4; a box with a NaN or a negative area has the
// lowest level. Source: detectron2 modeling/poolers.py assign_boxes_to_levels.
at::Tensor pyramid_levels(const at::Tensor& boxes_R4, int64_t lowest = 2, int64_t highest = 5);

}  // namespace fcm::ops
