// The CPU kernels of gelu: a table of functions on raw pointers, one per instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// The activation after a matrix product without bias: x += bias, y = gelu(x). T: type of the
// elements; A: type of the bias.
template <class T, class A>
struct GeluOfProduct {
  int64_t rows, channels;
  T* x;
  const A* bias;
  T* y;
};

// Backward that also recomputes the output: dx = dy * gelu'(x), y = gelu(x). dx may alias dy.
template <class T>
struct GeluBackwardRecompute {
  int64_t count;
  const T* dy;
  const T* x;
  T* dx;
  T* y;
};

struct GeluKernels {
  void (*forward_float)(const float* x, float* y, int64_t count);
  void (*forward_bfloat16)(const Bfloat16* x, Bfloat16* y, int64_t count);
  void (*forward_double)(const double* x, double* y, int64_t count);
  void (*backward_float)(const float* dy, const float* x, float* dx, int64_t count);
  void (*backward_bfloat16)(const Bfloat16* dy, const Bfloat16* x, Bfloat16* dx, int64_t count);
  void (*backward_double)(const double* dy, const double* x, double* dx, int64_t count);
  void (*product_float)(const GeluOfProduct<float, float>&);
  void (*product_bfloat16)(const GeluOfProduct<Bfloat16, float>&);
  void (*product_double)(const GeluOfProduct<double, double>&);
  void (*recompute_float)(const GeluBackwardRecompute<float>&);
  void (*recompute_bfloat16)(const GeluBackwardRecompute<Bfloat16>&);
  void (*recompute_double)(const GeluBackwardRecompute<double>&);
};

extern const GeluKernels gelu_plain;
extern const GeluKernels gelu_avx2;
extern const GeluKernels gelu_avx512;
extern const GeluKernels gelu_amx;

}  // namespace fcm::ops
