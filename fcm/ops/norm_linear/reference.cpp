#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/norm_linear/op.h"

namespace fcm::ops {

at::Tensor norm_linear_reference(const at::Tensor& x, const NormWeights& norm,
                                 const ProductWeights& linear) {
  return linear_reference(layer_norm_reference(x, norm.weight_C, norm.bias_C, norm.epsilon),
                          linear.weight_OI, linear.bias_O);
}

}  // namespace fcm::ops
