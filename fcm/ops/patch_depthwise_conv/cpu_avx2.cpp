namespace {
constexpr int kWidest = 8;      // floats in a vector register
constexpr int kRegisters = 16;  // vector registers
}  // namespace
#include "fcm/ops/patch_depthwise_conv/kernel.inc"

namespace fcm::ops::patch_conv {
const Kernels& avx2_kernels() { return kKernels; }
}  // namespace fcm::ops::patch_conv
