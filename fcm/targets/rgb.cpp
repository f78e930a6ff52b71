#include "fcm/targets/rgb.h"

#include <ATen/ATen.h>

namespace fcm::targets {

at::Tensor rgb_targets(const at::Tensor& pixels_BLPD, const TargetOptions& options) {
  const at::Tensor patches_BLD = pixels_BLPD.flatten(2);
  if (!options.norm_pix) return patches_BLD;
  const auto [variance, mean] =
      at::var_mean(patches_BLD, at::IntArrayRef{2}, /*correction=*/1, /*keepdim=*/true);
  return (patches_BLD - mean).mul_((variance + options.variance_epsilon).rsqrt_());
}

}  // namespace fcm::targets
