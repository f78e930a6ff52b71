#include "fcm/ops/gelu/kernel.inc"

namespace fcm::ops {

const GeluKernels gelu_avx2 = kKernels;

}  // namespace fcm::ops
