// Sums over the lanes of a warp, in a fixed order. For kernel files.
#pragma once

#include "fcm/ops/cuda/launch.h"

namespace fcm::ops {

__device__ inline int lane() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ inline int warp() { return static_cast<int>(threadIdx.x) / kWarp; }

// Every lane gets the sum with the same bits: in each step, two lanes add the same two values.
template <class A>
__device__ inline A warp_sum(A x) {
#pragma unroll
  for (int apart = kWarp / 2; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
  return x;
}

}  // namespace fcm::ops
