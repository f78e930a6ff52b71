#include "fcm/ops/layer_norm/op.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::ops {

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      double epsilon) {
  const bool mixed = x.scalar_type() == at::kBFloat16;
  const auto parameter_type = mixed ? at::kFloat : x.scalar_type();
  return std::get<0>(at::native_layer_norm(x, {x.size(-1)}, weight_C.to(parameter_type),
                                           bias_C.to(parameter_type), epsilon));
}

}  // namespace fcm::ops
