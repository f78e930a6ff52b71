// The kernels of gelu: a table of functions on raw pointers for each instruction set.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

struct GeluKernels {
  void (*forward_float)(const float* x, float* y, int64_t count);
  void (*forward_bfloat16)(const Bfloat16* x, Bfloat16* y, int64_t count);
  void (*forward_double)(const double* x, double* y, int64_t count);
  void (*backward_float)(const float* dy, const float* x, float* dx, int64_t count);
  void (*backward_bfloat16)(const Bfloat16* dy, const Bfloat16* x, Bfloat16* dx, int64_t count);
  void (*backward_double)(const double* dy, const double* x, double* dx, int64_t count);
};

extern const GeluKernels gelu_plain;
extern const GeluKernels gelu_avx2;
extern const GeluKernels gelu_avx512;

}  // namespace fcm::ops
