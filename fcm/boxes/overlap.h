// Areas of boxes and intersection over union.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

// (x1 - x0) * (y1 - y0) of boxes [N, 4] -> [N].
at::Tensor areas(const at::Tensor& boxes_N4);

// Intersection over union of every pair, [T, N], for inputs of one dtype; 0 for boxes that do not
// intersect, and so for boxes without area. Needs a few MB besides the result. (`match` in
// matcher.h avoids this matrix on the CPU.)
at::Tensor overlaps(const at::Tensor& truths_T4, const at::Tensor& boxes_N4);

}  // namespace fcm::boxes
