// A product that is rounded before anything is added to it. The compiler would otherwise fuse it
// with a sum, and a comparison could come out differently than on the CPU.
#pragma once

#include "fcm/ops/cuda/launch.h"

namespace fcm::ops {

__device__ inline float rounded_product(float a, float b) {
#if defined(__CUDACC__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}
__device__ inline double rounded_product(double a, double b) {
#if defined(__CUDACC__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

}  // namespace fcm::ops
