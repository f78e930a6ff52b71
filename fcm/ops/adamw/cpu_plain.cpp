#include "fcm/ops/adamw/kernel.inc"

namespace fcm::ops {

const AdamWKernels adamw_plain = kKernels;

}  // namespace fcm::ops
