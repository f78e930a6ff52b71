#include "fcm/ops/layer_norm/kernel.inc"

namespace fcm::ops {

const LayerNormKernels layer_norm_amx = kKernels;

}  // namespace fcm::ops
