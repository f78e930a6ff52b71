// Weighted sums of tensors of one size.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fcm::ops {

// y[j] = sum over i of weight_JI[j, i] * x[i]: J tensors like those of x, which are I of one size,
// float32, bfloat16 or float64; weight of any floating type, its gradient comes back in it. Sums in
// fp32. Not differentiable twice.
std::vector<at::Tensor> mix(const std::vector<at::Tensor>& x, const at::Tensor& weight_JI);
std::vector<at::Tensor> mix_reference(const std::vector<at::Tensor>& x,
                                      const at::Tensor& weight_JI);

}  // namespace fcm::ops
