#include "fcm/ops/patch_loss/kernel.inc"

namespace fcm::ops {

const PatchLossKernels patch_loss_avx2 = kKernels;

}  // namespace fcm::ops
