// Elementwise kernels over flat buffers. For kernel files.
#pragma once

#include "fcm/ops/cuda/vector.h"

namespace fcm::ops {

constexpr int kFlatThreads = 256;
// Accesses per thread. They are kFlatThreads accesses apart, and all are issued before the first
// result is needed.
constexpr int kFlatAccesses = 2;

// Calls task(first) for each group of N elements of this thread. `count` is a multiple of N.
template <int N, class Task>
__device__ inline void along_flat(int64_t count, const Task& task) {
  const int64_t block = static_cast<int64_t>(blockIdx.x) * (kFlatThreads * kFlatAccesses * N);
#pragma unroll
  for (int access = 0; access < kFlatAccesses; ++access) {
    const int64_t first = block + (access * kFlatThreads + static_cast<int64_t>(threadIdx.x)) * N;
    if (first < count) task(first);
  }
}

inline LaunchShape flat_shape(const char* name, int64_t count, int per_access, CudaStream stream) {
  const int64_t per_block = int64_t{kFlatThreads} * kFlatAccesses * per_access;
  return {name, (count + per_block - 1) / per_block, 1, kFlatThreads, 0, stream};
}

}  // namespace fcm::ops
