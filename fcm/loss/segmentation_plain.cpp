#include "fcm/loss/segmentation_kernel.inc"

namespace fcm::loss {

const SegmentationKernels segmentation_plain = kKernels;

}  // namespace fcm::loss
