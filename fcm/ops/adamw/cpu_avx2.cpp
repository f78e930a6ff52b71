#include "fcm/ops/adamw/kernel.inc"

namespace fcm::ops {

const AdamWKernels adamw_avx2 = kKernels;

}  // namespace fcm::ops
