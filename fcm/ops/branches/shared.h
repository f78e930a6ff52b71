// Helpers of the branches. They take contiguous tensors and work without autograd, except
// without_key_gradient and with_padding, which autograd can differentiate.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "fcm/ops/isa.h"

namespace fcm::ops::branches {

// Autograd functions do not accept undefined tensors.
inline std::optional<at::Tensor> optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

// [..., C] -> [M, C].
at::Tensor as_rows(const at::Tensor& x);
// x * weight^T + bias; bias may be undefined.
at::Tensor multiply(const at::Tensor& x_MI, const at::Tensor& weight_OI, const at::Tensor& bias_O);

// residual + scale * (last_MI * weight^T + bias), shaped like the residual.
at::Tensor end_branch(const at::Tensor& residual, const at::Tensor& last_MI,
                      const at::Tensor& weight_OI, const at::Tensor& bias_O,
                      const at::Tensor& scale_B);

// The gradient of the branch before the residual addition, dy * scale, as rows.
at::Tensor branch_gradient(const at::Tensor& dy, const at::Tensor& scale_B);

// Gradients of a product's weight and bias. sums_O: as in weight_gradients (linear/products.h).
struct ProductGradients {
  at::Tensor dweight_OI, dbias_O;
};
ProductGradients weight_gradients_of(const at::Tensor& dy_MO, const at::Tensor& x_MI,
                                     const at::Tensor& sums_O = {});

// dy_MO * weight_OI.
at::Tensor input_gradient(const at::Tensor& dy_MO, const at::Tensor& weight_OI);

// The k third of a qkv bias shifts all scores of a query by the same amount, which softmax cancels.
// Computed in floating point, its gradient is rounding noise around zero, along which AdamW would
// take full-length steps. zero_key_gradient sets this gradient to zero. without_key_gradient
// returns the bias with the same values and its k part detached: the last part but one of `parts`,
// which is 3 for a qkv bias and 2 for a kv bias.
void zero_key_gradient(const at::Tensor& dbias_D);
at::Tensor without_key_gradient(const at::Tensor& bias_D, int64_t parts = 3);

// Appends q, k, v of `padding` tokens to each image's tokens. Padding tokens are zero after the
// norm, so their q, k, v are the bias. [B, T, D] -> [B, T + padding, D].
at::Tensor with_padding(const at::Tensor& qkv_BTD, const at::Tensor& bias_D, int64_t padding);

// Saves the dtypes of the weights in the context, for restore_types.
void save_types(torch::autograd::AutogradContext* context, at::TensorList weights);
// Casts gradients, in the order of save_types, to the saved dtypes.
void restore_types(torch::autograd::AutogradContext* context, at::ArrayRef<at::Tensor*> gradients);

}  // namespace fcm::ops::branches
