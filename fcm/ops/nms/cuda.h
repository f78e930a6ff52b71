// The GPU kernel of nms. All pointers are to GPU memory.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// Arguments of the kernel: those of NmsGroup (kernel.h), but for all groups at once.
template <class A>
struct NmsCuda {
  const A* boxes;  // five planes, `plane` elements apart: x0, y0, x1, y1, area
  int64_t plane;
  const int64_t* starts;  // [groups + 1]: offset of each group
  int64_t groups;
  A threshold;
  A* kept;        // scratch memory of five planes
  uint8_t* keep;  // [all boxes]: 1 or 0
};

[[gnu::weak]] void nms_cuda(const NmsCuda<float>& pass, CudaStream stream);
[[gnu::weak]] void nms_cuda(const NmsCuda<double>& pass, CudaStream stream);

}  // namespace fcm::ops
