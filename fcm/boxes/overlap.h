// Areas of boxes and intersection over union.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

// (x1 - x0) * (y1 - y0) of boxes [N, 4] -> [N].
at::Tensor areas(const at::Tensor& boxes_N4);

// Intersection over union of every pair, both of one dtype, [T, N]; 0 where they do not intersect,
// so also for boxes without area. Needs a few MB beside the result. (matcher.h needs no such
// matrix.)
at::Tensor overlaps(const at::Tensor& truths_T4, const at::Tensor& boxes_N4);

}  // namespace fcm::boxes
