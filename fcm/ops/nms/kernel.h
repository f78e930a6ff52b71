// The kernels of nms: a table of functions on raw pointers for each instruction set.
#pragma once

#include <stdint.h>

namespace fcm::ops {

constexpr int64_t kMostNmsLanes = 16;  // boxes that a kernel compares at once, on any machine

// One group of boxes. Planes are x0, y0, x1, y1 and area, each of so many numbers.
template <class A>
struct NmsGroup {
  const A* boxes;  // planes of all boxes, groups one after the other
  int64_t plane;
  int64_t begin, end;  // those of this group, by descending score
  A threshold;         // the largest number of A that is not above the threshold
  A* kept;             // planes, filled with those that stay; zeros before, kMostNmsLanes too many
  int64_t kept_plane;
  uint8_t* stays;  // [all boxes]: 1 or 0
};

struct NmsKernels {
  void (*keep_float)(const NmsGroup<float>&);
  void (*keep_double)(const NmsGroup<double>&);
};

extern const NmsKernels nms_plain;
extern const NmsKernels nms_avx2;
extern const NmsKernels nms_avx512;

}  // namespace fcm::ops
