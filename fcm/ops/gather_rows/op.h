// Sequences made of the rows of one matrix, each as often as asked.
#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::ops {

// rows_RC: float32, bfloat16 or float64; places_NT: int64, numbers of rows. Returns [N, T, C], like
// rows. On the CPU a place that is no row is a broken promise; on other devices it is not looked
// for. Not differentiable twice.
at::Tensor gather_rows(const at::Tensor& rows_RC, const at::Tensor& places_NT);
at::Tensor gather_rows_reference(const at::Tensor& rows_RC, const at::Tensor& places_NT);

}  // namespace fcm::ops
