// Crops boxes from feature maps: each box becomes a square of bins, a bin the mean of bilinear
// samples inside it. Also chooses the level of a pyramid that a box is cropped from.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::ops {

// maps: each [B, H, W, C] with its own H and W, all of one type: float32, bfloat16 or float64; 1 to
// 8 of them. boxes [R, 4] as x0, y0, x1, y1 in pixels of the image, float32, or float64 with
// float64 maps: coordinates are computed in float32, with float64 maps in float64, never in
// bfloat16. image [R] and level [R], int64: image and map of each box. scales: 1 / stride of each
// map. Returns [R, bins, bins, C] of the maps' type; sums are in float32 (float64 for float64).
//
// A box starts at x0 * scale - .5 and has bins of b = its length / bins, however short; along an
// axis a bin has g = ceil(b) samples, at the middles of g equal parts. A sample beyond -1 or beyond
// H (W) is 0; otherwise it is clamped to 0 and to the last cell. A bin is the sum of its samples
// divided by their number, 0 if there are none (an empty or inverted box). Bins are also 0 for a
// box that is not finite or reaches further than 2^20 cells from the map's corner, which no image
// does.
//
// Gradients flow to the maps only. Saves boxes, not maps. The same bits for any number of threads.
// Not differentiable twice. On a GPU image and level are not checked: they must be in range.
// Source: detectron2 layers/roi_align.py, ROIAlign(aligned=True, sampling_ratio=0).
at::Tensor roi_align(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                     const at::Tensor& image_R, const at::Tensor& level_R,
                     const std::vector<double>& scales, int64_t bins);
// The definition, sample by sample, in plain tensor calls.
at::Tensor roi_align_reference(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                               const at::Tensor& image_R, const at::Tensor& level_R,
                               const std::vector<double>& scales, int64_t bins);

// The map of each box, as an index starting at 0 for level `lowest`: floor(4 + log2(sqrt(area) /
// 224 + 1e-8)) clamped to [lowest, highest], minus lowest. boxes [R, 4] float32 in pixels of the
// image -> [R] int64. A box of 224 x 224 has level 4; one with a NaN or a negative area has the
// lowest. Source: detectron2 modeling/poolers.py assign_boxes_to_levels.
at::Tensor pyramid_levels(const at::Tensor& boxes_R4, int64_t lowest = 2, int64_t highest = 5);

}  // namespace fcm::ops
