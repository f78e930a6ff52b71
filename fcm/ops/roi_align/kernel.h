// The CPU kernels of roi_align: a table of functions on raw pointers, one per instruction set. A
// call processes one box.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// The cells that a bin reads along one axis: `count` cells from `first` on. Their weights start at
// index `weights` of the box's weights.
struct RoiBin {
  int64_t first, count, weights;
};

// The bins of a box along both axes. The samples of a bin are a grid and bilinear weights are
// products, so the mean of the samples is a sum over rows of sums over the cells of a row.
template <class A>
struct RoiCells {
  const RoiBin* down;    // [bins]
  const RoiBin* across;  // [bins]
  const A* weights;
};

template <class T, class A>
struct RoiForward {
  int64_t bins, cols, channels;
  RoiCells<A> cells;
  const T* map;  // [rows, cols, channels] of the image
  T* out;        // [bins, bins, channels]
};

template <class T, class A>
struct RoiBackward {
  int64_t bins, cols, channels;
  RoiCells<A> cells;
  int64_t first_row, end_row;  // of the map; other rows are skipped
  const T* dout;               // [bins, bins, channels]
  A* dmap;                     // [end_row - first_row, cols, channels]: accumulated
  A* row;                      // scratch of [bins, channels]
};

struct RoiAlignKernels {
  void (*forward_float)(const RoiForward<float, float>&);
  void (*forward_bfloat16)(const RoiForward<Bfloat16, float>&);
  void (*forward_double)(const RoiForward<double, double>&);
  void (*backward_float)(const RoiBackward<float, float>&);
  void (*backward_bfloat16)(const RoiBackward<Bfloat16, float>&);
  void (*backward_double)(const RoiBackward<double, double>&);
  void (*round)(const float* from, int64_t count, Bfloat16* to);
};

extern const RoiAlignKernels roi_align_plain;
extern const RoiAlignKernels roi_align_avx2;
extern const RoiAlignKernels roi_align_avx512;

}  // namespace fcm::ops
