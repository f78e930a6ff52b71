#include "fcm/ops/gelu/op.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/norm_gelu/op.h"

namespace fcm::ops {

at::Tensor norm_gelu_reference(const at::Tensor& x, const at::Tensor& weight_C,
                               const at::Tensor& bias_C, double epsilon) {
  return gelu_reference(layer_norm_reference(x, weight_C, bias_C, epsilon));
}

}  // namespace fcm::ops
