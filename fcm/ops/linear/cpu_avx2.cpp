#include "fcm/ops/linear/kernel.inc"

namespace fcm::ops {

const LinearKernels linear_avx2 = kKernels;

}  // namespace fcm::ops
