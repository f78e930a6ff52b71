#include "fcm/ops/gelu/op.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/patch_embed/op.h"

namespace fcm::ops {

at::Tensor patch_embed_reference(const at::Tensor& x, const ProductWeights& proj,
                                 const NormWeights& norm) {
  return gelu_reference(layer_norm_reference(linear_reference(x, proj.weight_OI, proj.bias_O),
                                             norm.weight_C, norm.bias_C, norm.epsilon));
}

}  // namespace fcm::ops
