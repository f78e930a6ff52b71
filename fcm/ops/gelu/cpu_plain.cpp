#include "fcm/ops/gelu/kernel.inc"

namespace fcm::ops {

const GeluKernels gelu_plain = kKernels;

}  // namespace fcm::ops
