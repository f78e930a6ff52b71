// The CPU kernels of nms: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

namespace fcm::ops {

constexpr int64_t kMostNmsLanes = 16;  // most boxes that any kernel compares at once

// One group of boxes. Boxes are stored as planes: x0, y0, x1, y1 and area, `plane` elements apart.
template <class A>
struct NmsGroup {
  const A* boxes;  // planes of all boxes, groups one after the other
  int64_t plane;
  int64_t begin, end;  // this group's boxes, by descending score
  A threshold;         // the largest value of type A that is not above the threshold
  A* kept;  // planes that receive the kept boxes; zeroed before, with kMostNmsLanes spare elements
  int64_t kept_plane;
  uint8_t* keep;  // [all boxes]: 1 or 0
};

struct NmsKernels {
  void (*keep_float)(const NmsGroup<float>&);
  void (*keep_double)(const NmsGroup<double>&);
};

extern const NmsKernels nms_plain;
extern const NmsKernels nms_avx2;
extern const NmsKernels nms_avx512;

}  // namespace fcm::ops
