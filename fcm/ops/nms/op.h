// Non-maximum suppression: of boxes that overlap the best one stays.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// boxes [N, 4] x0, y0, x1, y1 and scores [N], float32 or float64; groups [N], int64: boxes of
// different groups do not meet. Goes through the boxes by descending score, the lower index first
// of equal ones, and drops those whose intersection over union with one that stays is more than the
// threshold. -> indices of those that stay, int64, in that order.
at::Tensor nms(const at::Tensor& boxes_N4, const at::Tensor& scores_N, const at::Tensor& groups_N,
               double threshold);

}  // namespace fcm::ops
