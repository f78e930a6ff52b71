// The three matrix products of linear, with our own kernels, cuBLASLt or LibTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>

#include "fcm/ops/isa.h"

namespace fcm::ops {

using OwnKernels = std::optional<Isa>;  // nullopt: a library, cuBLASLt or LibTorch

// The fastest choice for rows of the size, type and device of x.
OwnKernels fastest_products(const at::Tensor& x);

// The weight as a product with x needs it: contiguous, in the type of x. Returns `rounded_OI` if it
// has that type and the size of the weight.
at::Tensor weight_for(const at::Tensor& x, const at::Tensor& weight_OI,
                      const at::Tensor& rounded_OI);

// x_MK * b_KN + bias_N; x contiguous, b of any strides, bias may be undefined.
at::Tensor product_with_bias(OwnKernels own, const at::Tensor& x_MK, const at::Tensor& b_KN,
                             const at::Tensor& bias_N);

// y_MN += x_MK * b_KN; y contiguous.
void add_product(OwnKernels own, const at::Tensor& x_MK, const at::Tensor& b_KN,
                 const at::Tensor& y_MN);

// residual + x_MK * b_KN + bias, shaped like the residual [..., N] (any strides); bias: [N], or
// broadcastable to the residual.
at::Tensor product_onto(OwnKernels own, const at::Tensor& residual, const at::Tensor& x_MK,
                        const at::Tensor& b_KN, const at::Tensor& bias);

// dy_MO^T * x_MI and the column sums of dy; both inputs are contiguous. For bfloat16 the sums are
// float32, and so is the product with our own kernels and on a GPU. sums_O: the column sums, if
// they are already computed; used on a GPU only.
std::pair<at::Tensor, at::Tensor> weight_gradients(OwnKernels own, const at::Tensor& dy_MO,
                                                   const at::Tensor& x_MI,
                                                   const at::Tensor& sums_O = {});

}  // namespace fcm::ops
