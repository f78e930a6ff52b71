#include "fcm/ops/peak/kernel.inc"

namespace fcm::ops {

const PeakKernel peak_avx512 = kKernel;

}  // namespace fcm::ops
