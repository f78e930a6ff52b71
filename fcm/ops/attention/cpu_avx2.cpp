#include "fcm/ops/attention/kernel.inc"

namespace fcm::ops {

const AttentionKernels attention_avx2 = kKernels;

}  // namespace fcm::ops
