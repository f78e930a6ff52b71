// What the three branches share. Everything here works on contiguous tensors without autograd.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "fcm/ops/isa.h"

namespace fcm::ops::branches {

// An undefined tensor cannot be an argument of an autograd function.
inline std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// [..., C] -> [M, C].
at::Tensor as_rows(const at::Tensor& x);
// x * weight^T + bias; bias undefined: left out.
at::Tensor multiply(const at::Tensor& x_MI, const at::Tensor& weight_OI, const at::Tensor& bias_O);

// residual + scale * (last_MI * weight^T + bias), shaped like the residual.
at::Tensor end_branch(const at::Tensor& residual, const at::Tensor& last_MI,
                      const at::Tensor& weight_OI, const at::Tensor& bias_O,
                      const at::Tensor& scale_B);

// The gradient at the end of the branch, as rows: dy times the scale.
at::Tensor branch_gradient(const at::Tensor& dy, const at::Tensor& scale_B);

// Gradients of a product with its weight. sums_O: as weight_gradients (linear/products.h) takes it.
struct ProductGradients {
  at::Tensor dweight_OI, dbias_O;
};
ProductGradients weight_gradients_of(const at::Tensor& dy_MO, const at::Tensor& x_MI,
                                     const at::Tensor& sums_O = {});

// dy_MO * weight_OI.
at::Tensor input_gradient(const at::Tensor& dy_MO, const at::Tensor& weight_OI);

// The k third of a qkv bias moves all scores of a token by the same amount, which softmax does not
// notice. What sums of rounded numbers give in place of its gradient is noise around zero, of which
// AdamW would make steps of full length. The first sets that gradient to zero; the second gives the
// bias as it is, with such a gradient.
void forget_key_bias(const at::Tensor& dbias_D);
at::Tensor without_key_gradient(const at::Tensor& bias_D);

// Rows of q, k and v behind those of each picture's tokens, as a zero behind the norm has them: the
// bias. [B, T, D] -> [B, T + filling, D].
at::Tensor with_filling(const at::Tensor& qkv_BTD, const at::Tensor& bias_D, int64_t filling);

// Types of the weights, kept by the context so that gradients come back in them.
void keep_types(torch::autograd::AutogradContext* context, at::TensorList weights);
// Gradients, in the order of keep_types, in those types.
void restore_types(torch::autograd::AutogradContext* context, at::ArrayRef<at::Tensor*> gradients);

}  // namespace fcm::ops::branches
