// Sums over the rows of a matrix on a GPU, such as the gradient of a bias. All pointers are to GPU
// memory.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"
#include "fcm/ops/simd/bfloat16.h"

namespace fcm::ops {

// Number of partial sums; depends on the shape alone.
[[gnu::weak]] int64_t column_sums_parts_cuda(int64_t rows, int64_t columns);

// Column sums [columns] of x [rows, columns]. parts: [column_sums_parts_cuda, columns],
// overwritten.
[[gnu::weak]] void column_sums_cuda(const float* x, int64_t rows, int64_t columns, float* parts,
                                    float* sums, CudaStream stream);
[[gnu::weak]] void column_sums_cuda(const Bfloat16* x, int64_t rows, int64_t columns, float* parts,
                                    float* sums, CudaStream stream);
[[gnu::weak]] void column_sums_cuda(const double* x, int64_t rows, int64_t columns, double* parts,
                                    double* sums, CudaStream stream);

}  // namespace fcm::ops
