// The GPU kernels of the convolution. All pointers but `stored` are to GPU memory.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops::patch_conv {

constexpr int64_t kMostCudaSide = 8;  // cells per row of a patch

// A row is one patch, numbered image * slots + slot. T: type of x; A: type of weights and sums.
struct CudaShape {
  int64_t rows, slots, channels, side;
  const int32_t* neighbours;  // [rows, 9], symmetric
  const int32_t* stored;      // [side * side], raster cell -> stored index; in CPU memory
};

template <class T, class A>
struct CudaForward {
  CudaShape shape;
  const T* x;       // [rows, side * side, channels]
  const A* weight;  // [25, channels]
  const A* bias;    // [channels]
  T* y;
};

template <class T, class A>
struct CudaBackward {
  CudaShape shape;
  const T* dy;
  const T* x;
  const A* weight;
  T* dx;     // may be null: not computed
  A* parts;  // [cuda_parts, 26, channels], overwritten; null: no sums
  A* sums;   // [26, channels]: the gradients of the taps, then of the bias
};

[[gnu::weak]] void forward_cuda(const CudaForward<float, float>& pass, CudaStream stream);
[[gnu::weak]] void forward_cuda(const CudaForward<Bfloat16, float>& pass, CudaStream stream);
[[gnu::weak]] void forward_cuda(const CudaForward<double, double>& pass, CudaStream stream);

// Number of partial sums; depends on the shape alone.
[[gnu::weak]] int64_t cuda_parts(int64_t rows);
[[gnu::weak]] void backward_cuda(const CudaBackward<float, float>& pass, CudaStream stream);
[[gnu::weak]] void backward_cuda(const CudaBackward<Bfloat16, float>& pass, CudaStream stream);
[[gnu::weak]] void backward_cuda(const CudaBackward<double, double>& pass, CudaStream stream);

}  // namespace fcm::ops::patch_conv
