#include <ATen/ATen.h>

#include "fcm/ops/layer_norm/op.h"

namespace fcm::ops {

at::Tensor layer_norm_reference(const at::Tensor& x, const at::Tensor& weight_C,
                                const at::Tensor& bias_C, double epsilon) {
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor wide_x = x.to(wide);
  const at::Tensor centred = wide_x - wide_x.mean(-1, true);
  const at::Tensor variance = (centred * centred).mean(-1, true);
  const at::Tensor normalised = centred * (variance + epsilon).rsqrt();
  return (normalised * weight_C.to(wide) + bias_C.to(wide)).to(x.scalar_type());
}

}  // namespace fcm::ops
