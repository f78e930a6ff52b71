// Non-maximum suppression of overlapping boxes by score, separately within groups (classes, levels
// of a pyramid, images).
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// boxes [N, 4] as x0, y0, x1, y1, float32 or float64; scores [N] of any floating type; groups [N]
// int64, or undefined: one group. Returns the indices (int64) of the kept boxes, by descending
// score, the lower index first among equal scores. A box is dropped if its intersection over union
// with a kept box of its group exceeds `threshold` (0 or more); if equal, it is kept. Groups are
// separated by their numbers; coordinates are not shifted.
//
// The ratio of two boxes without area is NaN and drops nothing, and so does a box with a NaN. A NaN
// score counts as the highest, as in LibTorch's sort. Not differentiable. The same indices on every
// instruction set and on a GPU. Source: torchvision.ops.nms; the loop over classes of batched_nms.
at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold);
// The definition: one kept box after the other, each compared with all others.
at::Tensor nms_reference(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                         const at::Tensor& groups_N, double threshold);

}  // namespace fcm::ops
