// The CPU kernels of linear: matrix products with bias, on raw pointers, one table per instruction
// set.
//
// B is first packed into panels of panel_width(columns) columns, each panel contiguous along the
// depth, so that a panel stays in the L1 cache while rows are multiplied with it.
#pragma once

#include <stdint.h>

#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// Packs panels [begin, end) of B (depth x columns). B(k, n) is at
// from[k * depth_stride + n * column_stride]; one of the strides is 1.
template <class A>
struct LinearPanels {
  const A* from;
  int64_t depth_stride, column_stride;
  int64_t depth, columns;
  int64_t begin, end;
  A* to;  // panel_count * depth * panel width elements
};

// y = x * B + bias for `rows` rows of x, or y += x * B.
template <class A>
struct LinearRows {
  int64_t rows, depth, columns;
  const A* x;  // rows contiguous, [rows, depth]
  const A* panels;
  const A* bias;  // [columns] or null
  bool onto_y;    // without bias: y += instead of y =
  A* y;           // [rows, columns]
  A* scratch;     // rows_scratch elements
};

// dweight = dy^T * x and dbias = column sums of dy, for outputs [begin, end) over `rows` rows.
template <class A>
struct LinearWeights {
  int64_t rows, inputs, outputs;
  int64_t begin, end;
  const A* x;   // [rows, inputs]
  const A* dy;  // [rows, outputs]
  A* dweight;   // [outputs, inputs], rows [begin, end) are set
  A* dbias;     // [outputs]
  A* scratch;   // weights_scratch elements
};

template <class A>
struct LinearKernelsOf {
  int64_t (*panel_width)(int64_t columns);
  int64_t (*rows_scratch)(int64_t columns);
  int64_t (*weights_scratch)(int64_t inputs, int64_t outputs);  // outputs: end - begin
  void (*panels)(const LinearPanels<A>&);
  void (*rows)(const LinearRows<A>&);
  void (*weights)(const LinearWeights<A>&);
};

// sums[c] = sum of x[:, c] over `rows` contiguous bfloat16 rows. For LibTorch's products, which do
// not compute these sums in the same pass.
struct LinearColumnSums {
  int64_t rows, columns;
  const Bfloat16* x;
  float* sums;
};

struct LinearKernels {
  LinearKernelsOf<float> of_float;
  LinearKernelsOf<double> of_double;
  void (*column_sums)(const LinearColumnSums&);
};

extern const LinearKernels linear_plain;
extern const LinearKernels linear_avx2;
extern const LinearKernels linear_avx512;

}  // namespace fcm::ops
