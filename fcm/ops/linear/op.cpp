#include "fcm/ops/linear/op.h"

#include <ATen/ATen.h>

namespace fcm::ops {

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  return at::linear(x, weight_OI.to(x.scalar_type()), bias_O.to(x.scalar_type()));
}

}  // namespace fcm::ops
