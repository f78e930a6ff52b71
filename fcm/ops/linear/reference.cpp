#include <ATen/ATen.h>

#include "fcm/ops/linear/op.h"

namespace fcm::ops {

at::Tensor linear_reference(const at::Tensor& x, const at::Tensor& weight_OI,
                            const at::Tensor& bias_O) {
  // linear is defined on weights rounded to the type of x.
  const auto type = x.scalar_type(), wide = type == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor weight = weight_OI.to(type).to(wide), bias = bias_O.to(type).to(wide);
  return (at::matmul(x.to(wide), weight.t()) + bias).to(type);
}

}  // namespace fcm::ops
