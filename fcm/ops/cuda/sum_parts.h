// The second half of every sum over rows: parts, made by blocks of a first kernel, become one.
#pragma once

#include <stdint.h>

#include "fcm/ops/cuda/stream.h"

namespace fcm::ops {

// sums [columns] = parts [count, columns] added in an order that depends on `count` alone.
void sum_parts_cuda(const float* parts, int64_t count, int64_t columns, float* sums,
                    CudaStream stream);
void sum_parts_cuda(const double* parts, int64_t count, int64_t columns, double* sums,
                    CudaStream stream);

}  // namespace fcm::ops
