// The GPU kernels of roi_align. All pointers are to GPU memory.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

constexpr size_t kMostRoiMaps = 8;

template <class T>
struct RoiMapCuda {
  T* cells;  // [images, rows, cols, channels]
  int64_t rows, cols;
  double scale;
};

template <class A>
struct RoisCuda {
  int64_t rois, bins, channels;
  const A* boxes;  // [rois, 4]
  const int64_t* image;
  const int64_t* level;
};

template <class T, class A>
struct RoiForwardCuda {
  RoisCuda<A> rois;
  RoiMapCuda<const T> maps[kMostRoiMaps];
  T* out;  // [rois, bins, bins, channels]
};

// Gradient of one map; every cell of it is written.
template <class T, class A>
struct RoiBackwardCuda {
  RoisCuda<A> rois;
  RoiMapCuda<T> map;
  int64_t images;
  const int64_t* order;   // [rois]: box indices, stably sorted by map and image
  const int64_t* starts;  // [images + 1]: offset in `order` of each image's boxes on this map
  const T* dout;
};

[[gnu::weak]] void roi_align_cuda(const RoiForwardCuda<float, float>& pass, CudaStream stream);
[[gnu::weak]] void roi_align_cuda(const RoiForwardCuda<Bfloat16, float>& pass, CudaStream stream);
[[gnu::weak]] void roi_align_cuda(const RoiForwardCuda<double, double>& pass, CudaStream stream);

[[gnu::weak]] void roi_align_cuda(const RoiBackwardCuda<float, float>& pass, CudaStream stream);
[[gnu::weak]] void roi_align_cuda(const RoiBackwardCuda<Bfloat16, float>& pass, CudaStream stream);
[[gnu::weak]] void roi_align_cuda(const RoiBackwardCuda<double, double>& pass, CudaStream stream);

}  // namespace fcm::ops
