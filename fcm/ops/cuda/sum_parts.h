// The second stage of sums over the rows of a matrix: adds the partial sums of a first kernel's
// blocks.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// sums [columns] = sum of parts [count, columns], in an order that depends on `count` alone.
void sum_parts_cuda(const float* parts, int64_t count, int64_t columns, float* sums,
                    CudaStream stream);
void sum_parts_cuda(const double* parts, int64_t count, int64_t columns, double* sums,
                    CudaStream stream);

}  // namespace fcm::ops
