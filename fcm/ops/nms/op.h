// Which of overlapping boxes stay: non-maximum suppression by score, inside groups (classes, levels
// of a pyramid, pictures) that do not meet.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// boxes [N, 4] as x0, y0, x1, y1, float32 or float64; scores [N] of any floating type; groups [N]
// int64, or undefined: all are of one. Returns the indices (int64) of those that stay, by
// descending score, the lower index first where scores are equal. A box is dropped if its
// intersection over union with one of its group that stays is more than `threshold` (0 or more);
// equal to it, it stays. Coordinates are taken as they are: groups are kept apart by their numbers,
// not by shifting boxes.
//
// Without size (both areas 0) the ratio is no number and drops nothing; the same holds of a box
// with a NaN. A score that is NaN counts as the highest, as in LibTorch's sort. Not differentiable.
// The same indices on every instruction set and on a GPU. Source: torchvision.ops.nms; the loop
// over classes of batched_nms.
at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold);
// The definition: one box that stays after the other, each beside all others.
at::Tensor nms_reference(const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                         const at::Tensor& groups_N, double threshold);

}  // namespace fcm::ops
