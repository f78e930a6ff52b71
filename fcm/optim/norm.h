// The Euclidean norm of many numbers, the same for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::optim {

// Root of the sum of squares, summed in float64; non-finite if any element is. `values` contiguous,
// float32 or float64.
double euclidean_norm(const at::Tensor& values);

}  // namespace fcm::optim
