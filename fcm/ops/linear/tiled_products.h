// The products of linear with AMX tiles (tiled.h), divided for caches and threads. Requires
// can_run(Isa::kAmx). The same bits for any number of threads.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace fcm::ops {

// y_MN = x_MK * b_KN + bias_N, or y_MN += x_MK * b_KN. float32 or bfloat16, all of one type; x and
// y contiguous, b or its transpose contiguous; bias may be undefined.
void tiled_product(const at::Tensor& x_MK, const at::Tensor& b_KN, const at::Tensor& bias_N,
                   bool onto_y, const at::Tensor& y_MN);

// dy_MO^T * x_MI and the column sums of dy, both float32; dy and x contiguous, float32 or bfloat16.
std::pair<at::Tensor, at::Tensor> tiled_gradients(const at::Tensor& dy_MO, const at::Tensor& x_MI);

}  // namespace fcm::ops
