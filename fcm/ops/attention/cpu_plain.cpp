#include "fcm/ops/attention/kernel.inc"

namespace fcm::ops {

const AttentionKernels attention_plain = kKernels;

}  // namespace fcm::ops
