// The two passes of gather_rows without autograd, for operators that are made of several.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// rows contiguous -> [N, T, C].
at::Tensor gathered(const at::Tensor& rows_RC, const at::Tensor& places_NT);

// The way back: for each of `rows` rows the sum of x[n, t] over its places, [rows, C] like x; 0
// where it has none. x contiguous. The same bits for any number of threads.
at::Tensor summed_by_row(const at::Tensor& x_NTC, const at::Tensor& places_NT, int64_t rows);
// The same by LibTorch's operators, for devices other than the CPU.
at::Tensor summed_by_row_library(const at::Tensor& x_NTC, const at::Tensor& places_NT,
                                 int64_t rows);

}  // namespace fcm::ops
