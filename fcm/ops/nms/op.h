// Non-maximum suppression of overlapping boxes by score, separately within groups (classes, levels
// of a pyramid, images).
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// boxes [N, 4] as x0, y0, x1, y1, float32 or float64; scores [N] of any floating type; groups [N]
// int64, or undefined: one group. Returns the indices (int64) of the kept boxes, by descending
// score, the lower index first among equal scores. A box is dropped if its intersection over union
// with a kept box of its group exceeds `threshold` (0 or more); if they are equal, it is kept.
// Boxes are compared only within a group; coordinates are not shifted.
//
// The ratio of two boxes without area is NaN and drops nothing; neither does a box with a NaN. A
// NaN score counts as the highest, as in LibTorch's sort. Not differentiable. Every instruction set
// and a GPU give the same indices. Source: torchvision.ops.nms; batched_nms's loop over classes.
at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold);
// The definition: one kept box after another, each compared with all other boxes.
at::Tensor nms_reference(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                         const at::Tensor& groups_N, double threshold);

}  // namespace fcm::ops
