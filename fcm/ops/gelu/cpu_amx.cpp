#include "fcm/ops/gelu/kernel.inc"

namespace fcm::ops {

const GeluKernels gelu_amx = kKernels;

}  // namespace fcm::ops
