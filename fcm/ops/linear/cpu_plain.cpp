#include "fcm/ops/linear/kernel.inc"

namespace fcm::ops {

const LinearKernels linear_plain = kKernels;

}  // namespace fcm::ops
