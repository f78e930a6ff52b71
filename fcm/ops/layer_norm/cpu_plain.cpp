#include "fcm/ops/layer_norm/kernel.inc"

namespace fcm::ops {

const LayerNormKernels layer_norm_plain = kKernels;

}  // namespace fcm::ops
