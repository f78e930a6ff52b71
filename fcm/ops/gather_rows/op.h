// Builds sequences from rows of one matrix; a row may be used many times.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// rows_RC: float32, bfloat16 or float64; indices_NT: int64 row indices. Returns [N, T, C] of the
// type of rows. On the CPU an index out of range throws std::logic_error; on other devices indices
// are not checked. Not differentiable twice.
at::Tensor gather_rows(const at::Tensor& rows_RC, const at::Tensor& indices_NT);
at::Tensor gather_rows_reference(const at::Tensor& rows_RC, const at::Tensor& indices_NT);

}  // namespace fcm::ops
