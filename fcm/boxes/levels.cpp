#include "fcm/boxes/levels.h"

#include <ATen/ATen.h>

#include "fcm/boxes/overlap.h"

namespace fcm::boxes {

at::Tensor pyramid_levels(const at::Tensor& boxes_R4) {
  const at::NoGradGuard no_grad;
  return (areas(boxes_R4).sqrt() / 224 + 1e-8)
      .log2()
      .add(4)
      .floor()
      .clamp(2, 5)
      .sub(2)
      .to(at::kLong);
}

}  // namespace fcm::boxes
