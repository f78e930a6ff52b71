#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/roi_align/op.h"

namespace fcm::ops {

at::Tensor pyramid_levels(const at::Tensor& boxes_R4, int64_t lowest, int64_t highest) {
  require(boxes_R4.dim() == 2 && boxes_R4.size(1) == 4 && boxes_R4.scalar_type() == at::kFloat &&
              lowest <= highest,
          "pyramid_levels: expected float32 boxes [R, 4] and lowest <= highest");
  const at::Tensor boxes = boxes_R4.detach();
  const at::Tensor area_R =
      (boxes.select(1, 2) - boxes.select(1, 0)) * (boxes.select(1, 3) - boxes.select(1, 1));
  const at::Tensor level_R = at::floor(4 + at::log2(at::sqrt(area_R) / 224 + 1e-8));
  const auto least = static_cast<double>(lowest);
  return at::nan_to_num(level_R, least).clamp(lowest, highest).sub(lowest).to(at::kLong);
}

}  // namespace fcm::ops
