#include "fcm/image/resize_passes.h"

namespace fcm::image {

ResizeKernels avx2_resize_kernels() { return {horizontal_rows, vertical_rows}; }

}  // namespace fcm::image
