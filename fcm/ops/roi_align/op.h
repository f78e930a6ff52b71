// Cuts boxes out of maps: each box becomes a square of bins, a bin the mean of bilinear samples
// inside it. And which map of a pyramid a box is cut from.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace fcm::ops {

// maps: each [B, H, W, C] of its own H and W, all of one type: float32, bfloat16 or float64; 1 to 8
// of them. boxes [R, 4] as x0, y0, x1, y1 in pixels of the frame, float32, or float64 for float64
// maps: coordinates are computed in float32, with float64 maps in float64, never in bfloat16.
// picture [R] and level [R], int64: whose map it is, and which of the maps. scales: 1 / stride of
// each map. Returns [R, bins, bins, C] of the maps' type; sums are in float32 (float64).
//
// A box begins at x0 * scale - .5 and has bins of b = its length / bins, however short; an axis of
// a bin has g = ceil(b) samples, in the middles of g equal parts. A sample beyond -1 or beyond H
// (W) is 0; otherwise it is moved to 0 at least and to the last cell at most. A bin is the sum of
// its samples over their number, 0 where there is none (a box that is empty or turned round). So
// are the bins of a box that is not finite or reaches further than 2^20 cells from the map's
// corner: no picture has such.
//
// A gradient flows to the maps alone; it keeps boxes, not maps, and has the same bits with any
// number of threads. Not differentiable twice. On a GPU picture and level are not looked at: they
// must be in range. Source: detectron2 layers/roi_align.py, ROIAlign(aligned=True,
// sampling_ratio=0).
at::Tensor roi_align(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                     const at::Tensor& picture_R, const at::Tensor& level_R,
                     const std::vector<double>& scales, int64_t bins);
// The definition, sample by sample, in plain tensor calls.
at::Tensor roi_align_reference(const std::vector<at::Tensor>& maps_BHWC, const at::Tensor& boxes_R4,
                               const at::Tensor& picture_R, const at::Tensor& level_R,
                               const std::vector<double>& scales, int64_t bins);

// The map for each box, counted from that of `lowest`: floor(4 + log2(sqrt(area) / 224 + 1e-8)), in
// [lowest, highest], minus lowest. boxes [R, 4] float32 in pixels of the frame -> [R] int64. A box
// of 224 x 224 is of level 4; one without a number or with a negative area is of the lowest.
// Source: detectron2 modeling/poolers.py assign_boxes_to_levels.
at::Tensor pyramid_levels(const at::Tensor& boxes_R4, int64_t lowest = 2, int64_t highest = 5);

}  // namespace fcm::ops
