#include "fcm/ops/attention/kernel_amx.inc"

namespace fcm::ops {

const AttentionKernels attention_amx = kAmxKernels;

}  // namespace fcm::ops
