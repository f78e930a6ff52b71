#include "fcm/image/resize_passes.h"

namespace fcm::image {

ResizeKernels plain_resize_kernels() { return {horizontal_rows, vertical_rows}; }

}  // namespace fcm::image
