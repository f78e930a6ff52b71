#include "fcm/ops/linear/kernel.inc"

namespace fcm::ops {

const LinearKernels linear_avx512 = kKernels;

}  // namespace fcm::ops
