#include "fcm/ops/peak/kernel.inc"

namespace fcm::ops {

const PeakKernel peak_plain = kKernel;

}  // namespace fcm::ops
