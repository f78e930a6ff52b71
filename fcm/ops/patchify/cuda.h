// The GPU kernel of patchify. Images, order and result are in GPU memory; the order of the pixels
// and the normalisation are passed by value.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

constexpr int64_t kMostCudaPatchSide = 16, kMostCudaChannels = 4;

struct PatchifyCuda {
  int64_t batch, slots, channels;
  int64_t grid_rows, grid_cols, side;  // patches of an image; pixels of a patch
  const uint8_t* images;               // [batch, grid_rows * side, grid_cols * side, channels]
  const int64_t* order;                // [batch, slots], slot -> patch
  uint8_t pixel[kMostCudaPatchSide * kMostCudaPatchSide];     // stored index -> row * side + column
  double mean[kMostCudaChannels], stddev[kMostCudaChannels];  // (x / 255 - mean) / stddev
};

// result: [batch, slots, side * side, channels], pixels in stored order, with the same bits as on
// the CPU.
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, float* result, CudaStream stream);
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, Bfloat16* result, CudaStream stream);
[[gnu::weak]] void patchify_cuda(const PatchifyCuda& cut, double* result, CudaStream stream);

}  // namespace fcm::ops
