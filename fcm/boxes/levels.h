// Which map of a pyramid a region is read from. Source: Lin et al., "Feature pyramid networks", CVPR
// 2017, equation 1; detectron2, assign_boxes_to_levels.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::boxes {

// Of boxes [R, 4] the index into p2..p5, int64 0..3: floor(4 + log2(sqrt(area) / 224 + 1e-8)), held
// to 2..5, minus 2. So a square of 224 pixels is read from p4.
at::Tensor pyramid_levels(const at::Tensor& boxes_R4);

}  // namespace fcm::boxes
