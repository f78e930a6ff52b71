#include "fcm/ops/branches/shared.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/linear/products.h"

namespace fcm::ops::branches {
namespace {

at::Tensor scale_like(const at::Tensor& scale_B, const at::Tensor& x) {
  require(scale_B.dim() == 1 && scale_B.size(0) == x.size(0),
          "drop path: got factors for {} images, expected a batch of {}", scale_B.numel(),
          x.size(0));
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return scale_B.to(x.options()).view(shape);
}

}  // namespace

at::Tensor as_rows(const at::Tensor& x) { return x.reshape({-1, x.size(-1)}).contiguous(); }

at::Tensor multiply(const at::Tensor& x_MI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  return product_with_bias(fastest_products(x_MI), x_MI, weight_OI.t(),
                           bias_O.defined() ? bias_O.to(x_MI.scalar_type()) : bias_O);
}

at::Tensor end_branch(const at::Tensor& residual, const at::Tensor& last_MI,
                      const at::Tensor& weight_OI, const at::Tensor& bias_O,
                      const at::Tensor& scale_B) {
  at::Tensor bias = bias_O.to(residual.scalar_type()), scaled_MI = last_MI;
  if (scale_B.defined()) {
    const at::Tensor scale = scale_like(scale_B, residual);
    bias = bias * scale;
    scaled_MI =
        as_rows(last_MI.view({residual.size(0), -1, last_MI.size(1)}) * scale.view({-1, 1, 1}));
  }
  return product_onto(fastest_products(scaled_MI), residual, scaled_MI, weight_OI.t(), bias);
}

at::Tensor branch_gradient(const at::Tensor& dy, const at::Tensor& scale_B) {
  return as_rows(scale_B.defined() ? dy * scale_like(scale_B, dy) : dy);
}

ProductGradients weight_gradients_of(const at::Tensor& dy_MO, const at::Tensor& x_MI,
                                     const at::Tensor& sums_O) {
  const auto [dweight_OI, dbias_O] = weight_gradients(fastest_products(x_MI), dy_MO, x_MI, sums_O);
  return {dweight_OI, dbias_O};
}

at::Tensor input_gradient(const at::Tensor& dy_MO, const at::Tensor& weight_OI) {
  return product_with_bias(fastest_products(dy_MO), dy_MO, weight_OI, at::Tensor());
}

void zero_key_gradient(const at::Tensor& dbias_D) {
  const int64_t third = dbias_D.size(0) / 3;
  dbias_D.narrow(0, third, third).zero_();
}

at::Tensor without_key_gradient(const at::Tensor& bias_D, int64_t parts) {
  const int64_t size = bias_D.size(0) / parts;
  const at::Tensor keys = bias_D.narrow(0, (parts - 2) * size, size).detach();
  const at::Tensor values = bias_D.narrow(0, (parts - 1) * size, size);
  if (parts == 2) return at::cat({keys, values});
  return at::cat({bias_D.narrow(0, 0, size), keys, values});
}

at::Tensor with_padding(const at::Tensor& qkv_BTD, const at::Tensor& bias_D, int64_t padding) {
  if (padding == 0) return qkv_BTD;
  return at::cat({qkv_BTD, bias_D.to(qkv_BTD.scalar_type()).expand({qkv_BTD.size(0), padding, -1})},
                 1);
}

void save_types(torch::autograd::AutogradContext* context, at::TensorList weights) {
  std::vector<int64_t> types;
  for (const at::Tensor& weight : weights) {
    types.push_back(static_cast<int64_t>(weight.scalar_type()));
  }
  context->saved_data["types"] = types;
}

void restore_types(torch::autograd::AutogradContext* context, at::ArrayRef<at::Tensor*> gradients) {
  const auto types = context->saved_data["types"].toIntVector();
  for (size_t i = 0; i < gradients.size(); ++i) {
    *gradients[i] = gradients[i]->to(static_cast<at::ScalarType>(types[i]));
  }
}

}  // namespace fcm::ops::branches
