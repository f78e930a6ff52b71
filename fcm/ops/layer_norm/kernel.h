// The CPU kernels of layer_norm: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// `rows` contiguous rows of `channels` elements of type T; statistics and parameters of type A.
template <class T, class A>
struct LayerNormForward {
  int64_t rows, channels;
  A epsilon;
  const T* x;
  const A* weight;
  const A* bias;
  T* y;
  A* mean;         // [rows]
  A* inverse_std;  // [rows], 1 / standard deviation
};

template <class T, class A>
struct LayerNormBackward {
  int64_t rows, channels;
  const T* dy;
  const T* x;
  const A* weight;
  const A* mean;
  const A* inverse_std;
  const T* plus;  // added to dx; may be null
  T* dx;
  A* dweight;  // [channels], set to the sum over these rows
  A* dbias;
};

struct LayerNormKernels {
  void (*forward_float)(const LayerNormForward<float, float>&);
  void (*forward_bfloat16)(const LayerNormForward<Bfloat16, float>&);
  void (*forward_double)(const LayerNormForward<double, double>&);
  void (*backward_float)(const LayerNormBackward<float, float>&);
  void (*backward_bfloat16)(const LayerNormBackward<Bfloat16, float>&);
  void (*backward_double)(const LayerNormBackward<double, double>&);
};

extern const LayerNormKernels layer_norm_plain;
extern const LayerNormKernels layer_norm_avx2;
extern const LayerNormKernels layer_norm_avx512;
extern const LayerNormKernels layer_norm_amx;

}  // namespace fcm::ops
