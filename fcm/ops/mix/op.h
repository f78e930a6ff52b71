// Weighted sums of tensors of equal size.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace fcm::ops {

// y[j] = sum over i of weight_JI[j, i] * x[i]. x: I tensors of equal size, float32, bfloat16 or
// float64; the J results have the same size and type. The weight may have another floating type,
// which its gradient then has too. Sums are in fp32 (float64 for float64). Not differentiable
// twice.
std::vector<at::Tensor> mix(const std::vector<at::Tensor>& x, const at::Tensor& weight_JI);
std::vector<at::Tensor> mix_reference(const std::vector<at::Tensor>& x,
                                      const at::Tensor& weight_JI);

}  // namespace fcm::ops
