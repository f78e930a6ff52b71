// The GPU kernel of nms. All pointers are to GPU memory.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// Like NmsGroup, for all groups.
template <class A>
struct NmsCuda {
  const A* boxes;  // five planes
  int64_t plane;
  const int64_t* starts;  // [groups + 1]: offset of each group
  int64_t groups;
  A threshold;
  A* kept;  // scratch memory of five planes
  uint8_t* keep;
};

[[gnu::weak]] void nms_cuda(const NmsCuda<float>& pass, CudaStream stream);
[[gnu::weak]] void nms_cuda(const NmsCuda<double>& pass, CudaStream stream);

}  // namespace fcm::ops
