// The CPU kernels of patch_loss: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// Rows [begin, end) of predictions [B, G * H, D]. T: type of the predictions; A: type of targets
// and sums.
template <class T, class A>
struct PatchLossRows {
  int64_t begin, end;
  int64_t rows;    // of an image: G * H
  int64_t slots;   // of an image
  int64_t values;  // of a patch, D
  const T* predictions;
  const A* targets;       // [B, slots, D]
  const int64_t* slot;    // [G * H]
  bool absolute = false;  // absolute errors instead of squared ones
};

template <class T, class A>
struct PatchLossBackward {
  PatchLossRows<T, A> rows;
  A factor;
  T* dpredictions;  // factor * (prediction - target); absolute: factor * its sign
};

struct PatchLossKernels {
  // Sums of squared or absolute differences.
  double (*forward_float)(const PatchLossRows<float, float>&);
  double (*forward_bfloat16)(const PatchLossRows<Bfloat16, float>&);
  double (*forward_double)(const PatchLossRows<double, double>&);
  void (*backward_float)(const PatchLossBackward<float, float>&);
  void (*backward_bfloat16)(const PatchLossBackward<Bfloat16, float>&);
  void (*backward_double)(const PatchLossBackward<double, double>&);
};

extern const PatchLossKernels patch_loss_plain;
extern const PatchLossKernels patch_loss_avx2;
extern const PatchLossKernels patch_loss_avx512;

}  // namespace fcm::ops
