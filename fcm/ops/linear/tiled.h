// Matrix products by the tile registers of AMX, on raw pointers. float32 factors are taken apart
// into three bfloat16 pieces, whose sum they are, and six of the nine products of pieces are added
// up (the others are some 2^-27 of a product, 2^-24 at most): errors are below those of float32
// multiply-adds. README.md says what becomes of infinities and of numbers near the ends of the
// range.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// C = A * B + bias, or C += A * B. A(m, k) lies at a[m * a_row + k * a_depth] and B(k, n) at
// b[k * b_depth + n * b_column]; of each two distances one is 1. Rows of C as it is held are
// contiguous, c_row from one to the next.
template <class In, class Out>
struct TiledProduct {
  int64_t rows, depth, columns;
  const In* a;
  int64_t a_row, a_depth;
  const In* b;
  int64_t b_depth, b_column;
  const In* bias;  // [columns] or null
  bool onto;       // without bias: added to what C holds
  Out* c;
  int64_t c_row;
  bool turned;    // C is held with rows and columns exchanged; float32, without bias, not onto
  float* a_sums;  // [rows], set to the sums of A along the depth, where a_row is 1; or null
  float* b_sums;  // [columns], of B, where b_column is 1; or null
  void* scratch;  // scratch_bytes(deep, columns), on a border of 64 bytes
  // The depth is worked through in blocks of this many, a multiple of 32. All of it where C is
  // bfloat16, which would round between them.
  int64_t deep;
};

template <class In, class Out>
struct TiledKernel {
  int64_t (*scratch_bytes)(int64_t deep, int64_t columns);
  void (*product)(const TiledProduct<In, Out>&);
};

struct TiledKernels {
  TiledKernel<float, float> of_float;
  TiledKernel<Bfloat16, Bfloat16> of_bfloat16;
  TiledKernel<Bfloat16, float> of_bfloat16_wide;  // sums as they are
};

extern const TiledKernels tiled_amx;

}  // namespace fcm::ops
