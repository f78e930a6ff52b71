// The L2 norm of a buffer, the same bits for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::optim {

// Sum of squares in float64; non-finite if any element is. `values`: contiguous, float32 or
// float64.
double sum_of_squares(const at::Tensor& values);

// The square root of sum_of_squares.
double euclidean_norm(const at::Tensor& values);

}  // namespace fcm::optim
