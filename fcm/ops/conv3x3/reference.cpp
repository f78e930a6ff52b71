#include <ATen/ATen.h>

#include "fcm/ops/conv3x3/op.h"

namespace fcm::ops {

at::Tensor conv3x3_reference(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  return at::conv2d(x_BHWI.permute({0, 3, 1, 2}), weight_O33I.permute({0, 3, 1, 2}), {}, {1, 1},
                    {1, 1})
      .permute({0, 2, 3, 1});
}

}  // namespace fcm::ops
