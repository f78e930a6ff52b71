#include <ATen/ATen.h>

#include <cmath>

#include "fcm/ops/gelu/op.h"

namespace fcm::ops {

at::Tensor gelu_reference(const at::Tensor& x) {
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor wide_x = x.to(wide);
  // erfc keeps the relative accuracy of Phi(x) for large negative x.
  return (wide_x * 0.5 * at::erfc(wide_x * -M_SQRT1_2)).to(x.scalar_type());
}

}  // namespace fcm::ops
