namespace {
constexpr int kWidest = 16;     // floats in a vector register
constexpr int kRegisters = 32;  // vector registers
}  // namespace
#include "fcm/ops/patch_depthwise_conv/kernel.inc"

namespace fcm::ops::patch_conv {
const Kernels& avx512_kernels() { return kKernels; }
}  // namespace fcm::ops::patch_conv
