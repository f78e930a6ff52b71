#include "fcm/ops/layer_norm/kernel.inc"

namespace fcm::ops {

const LayerNormKernels layer_norm_avx512 = kKernels;

}  // namespace fcm::ops
