// How much boxes overlap.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

// (x1 - x0) * (y1 - y0) of boxes [N, 4] -> [N].
at::Tensor areas(const at::Tensor& boxes_N4);

// Intersection over union of every pair, both of one type, [T, N]; 0 where they do not intersect,
// so of boxes without area too. Besides the result it takes a few MB. (matcher.h does without the
// result as well.)
at::Tensor overlaps(const at::Tensor& truths_T4, const at::Tensor& boxes_N4);

}  // namespace fcm::boxes
