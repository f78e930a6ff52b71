// Matrix products with AMX tile registers, on raw pointers. A float32 operand is split into three
// bfloat16 components that sum to it exactly, and six of the nine products of components are added.
// The other three are about 2^-27 of the whole product, at most 2^-24, so errors are below those of
// float32 multiply-adds. README.md describes infinities and values near the ends of the range.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// C = A * B + bias, or C += A * B. A(m, k) is at a[m * a_row + k * a_depth] and B(k, n) at
// b[k * b_depth + n * b_column]; of each pair of strides one is 1. Rows of the stored C are
// contiguous and c_row elements apart.
template <class In, class Out>
struct TiledProduct {
  int64_t rows, depth, columns;
  const In* a;
  int64_t a_row, a_depth;
  const In* b;
  int64_t b_depth, b_column;
  const In* bias;  // [columns] or null
  bool onto;       // without bias: C += instead of C =
  Out* c;
  int64_t c_row;
  bool transposed;  // C is stored transposed; float32, without bias, not onto
  float* a_sums;    // [rows], set to the sums of A along the depth (needs a_row = 1); or null
  float* b_sums;    // [columns], the same for B (needs b_column = 1); or null
  void* scratch;    // scratch_bytes(depth_block, columns), aligned to 64 bytes
  // Size of a block of the depth, a multiple of 32. If C is bfloat16, it has to cover the whole
  // depth, because C would be rounded between blocks.
  int64_t depth_block;
};

template <class In, class Out>
struct TiledKernel {
  int64_t (*scratch_bytes)(int64_t depth_block, int64_t columns);
  void (*product)(const TiledProduct<In, Out>&);
};

struct TiledKernels {
  TiledKernel<float, float> of_float;
  TiledKernel<Bfloat16, Bfloat16> of_bfloat16;
  TiledKernel<Bfloat16, float> of_bfloat16_wide;  // float32 results
};

extern const TiledKernels tiled_amx;

}  // namespace fcm::ops
