#include <ATen/ATen.h>

#include "fcm/ops/patchify/op.h"

namespace fcm::ops {

at::Tensor patchify_reference(const at::Tensor& images_BHWC, const at::Tensor& order_BL,
                              const PatchGeometry& geometry, const Normalisation& normalisation,
                              at::ScalarType dtype) {
  const auto device = images_BHWC.device();
  const at::Tensor mean = at::tensor(normalisation.mean, at::kDouble).to(device);
  const at::Tensor stddev = at::tensor(normalisation.stddev, at::kDouble).to(device);
  const at::Tensor normalised_BHWC = (images_BHWC.to(at::kDouble) / 255.0 - mean) / stddev;
  return patchify_normalised(normalised_BHWC.permute({0, 3, 1, 2}), order_BL, geometry).to(dtype);
}

}  // namespace fcm::ops
