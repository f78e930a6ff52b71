// Forward and backward of gather_rows without autograd, for composite operators.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// rows contiguous -> [N, T, C]. Throws std::logic_error for an index out of range (CPU only).
at::Tensor gathered(const at::Tensor& rows_RC, const at::Tensor& indices_NT);

// The adjoint: for each of `rows` rows the sum of x[n, t] over the tokens that use it, [rows, C] of
// x's type; 0 for unused rows. x contiguous. The same bits for any number of threads.
at::Tensor summed_by_row(const at::Tensor& x_NTC, const at::Tensor& indices_NT, int64_t rows);
// summed_by_row with LibTorch's operators, for devices other than the CPU.
at::Tensor summed_by_row_library(const at::Tensor& x_NTC, const at::Tensor& indices_NT,
                                 int64_t rows);

}  // namespace fcm::ops
