#include "fcm/loss/segmentation_kernel.inc"

namespace fcm::loss {

const SegmentationKernels segmentation_avx512 = kKernels;

}  // namespace fcm::loss
