// The kernel of patchify on a GPU: images, order and result in the GPU's memory, tables by value.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

constexpr int64_t kMostCudaPatchSide = 16, kMostCudaChannels = 4;

struct PatchifyCuda {
  int64_t batch, slots, channels;
  int64_t grid_rows, grid_cols, side;  // patches of a picture; pixels of a patch
  const uint8_t* images;               // [batch, grid_rows * side, grid_cols * side, channels]
  const int64_t* order;                // [batch, slots], slot -> patch
  uint8_t pixel[kMostCudaPatchSide * kMostCudaPatchSide];  // stored place -> row * side + column
  double mean[kMostCudaChannels], deviation[kMostCudaChannels];  // (x / 255 - mean) / deviation
};

// result: [batch, slots, side * side, channels], pixels in stored order; the same bits as the
// processor's.
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, float* result, CudaStream stream);
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, Bfloat16* result, CudaStream stream);
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, double* result, CudaStream stream);

}  // namespace fcm::ops
