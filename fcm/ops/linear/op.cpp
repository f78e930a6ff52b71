#include "fcm/ops/linear/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

OwnKernels kernels_of(int64_t isa) {
  if (isa < 0) return std::nullopt;
  return static_cast<Isa>(isa);
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  // isa: -1 means a library (OwnKernels is nullopt).
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_OI, const at::Tensor& bias_O,
                            const std::optional<at::Tensor>& rounded_OI, int64_t isa) {
    const auto type = x.scalar_type();
    const at::Tensor rows_MI = x.reshape({-1, x.size(-1)}).contiguous();
    const at::Tensor weight = weight_for(x, weight_OI, rounded_OI.value_or(at::Tensor()));
    const at::Tensor bias = bias_O.to(type).contiguous();
    const at::Tensor y_MO = product_with_bias(kernels_of(isa), rows_MI, weight.t(), bias);
    context->save_for_backward({rows_MI, weight});
    context->saved_data["isa"] = isa;
    context->saved_data["weight_type"] = static_cast<int64_t>(weight_OI.scalar_type());
    context->saved_data["bias_type"] = static_cast<int64_t>(bias_O.scalar_type());
    auto sizes = x.sizes().vec();
    sizes.back() = weight_OI.size(0);
    return y_MO.view(sizes);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &rows_MI = saved[0], weight = saved[1];
    const OwnKernels own = kernels_of(context->saved_data["isa"].toInt());
    const at::Tensor dy_MO = gradients[0].reshape({-1, weight.size(0)}).contiguous();
    at::Tensor dx, dweight, dbias;
    if (context->needs_input_grad(0)) {
      auto sizes = gradients[0].sizes().vec();
      sizes.back() = weight.size(1);
      dx = product_with_bias(own, dy_MO, weight, at::Tensor()).view(sizes);
    }
    if (context->needs_input_grad(1) || context->needs_input_grad(2)) {
      std::tie(dweight, dbias) = weight_gradients(own, dy_MO, rows_MI);
      const auto type = [&](const char* key) {
        return static_cast<at::ScalarType>(context->saved_data[key].toInt());
      };
      dweight = dweight.to(type("weight_type"));
      dbias = dbias.to(type("bias_type"));
    }
    return {dx, dweight, dbias, at::Tensor(), at::Tensor()};
  }
};

void check_linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  require(
      weight_OI.dim() == 2 && x.dim() >= 1 && x.size(-1) == weight_OI.size(1) &&
          bias_O.dim() == 1 && bias_O.size(0) == weight_OI.size(0),
      "linear: expected rows, weight and bias that fit, got rows of {} elements, a weight of {} "
      "dimensions for {} inputs and a bias of {}",
      x.dim() == 0 ? 0 : x.size(-1), weight_OI.dim(), weight_OI.size(-1), bias_O.numel());
}

at::Tensor apply(OwnKernels own, const at::Tensor& x, const at::Tensor& weight_OI,
                 const at::Tensor& bias_O, const at::Tensor& rounded_OI = {}) {
  check_linear(x, weight_OI, bias_O);
  if (x.numel() == 0)
    return at::linear(x, weight_OI.to(x.scalar_type()), bias_O.to(x.scalar_type()));
  const int64_t isa = own.has_value() ? static_cast<int64_t>(*own) : -1;
  const auto rounded = rounded_OI.defined() ? std::optional(rounded_OI) : std::nullopt;
  return LinearFunction::apply(x, weight_OI, bias_O, rounded, isa);
}

}  // namespace

at::Tensor linear_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_OI,
                       const at::Tensor& bias_O) {
  require(x.scalar_type() != at::kBFloat16 || isa == Isa::kAmx,
          "linear_with: expected AMX for bfloat16, got {}", isa_name(isa));
  return apply(isa, x, weight_OI, bias_O);
}

at::Tensor linear_library(const at::Tensor& x, const at::Tensor& weight_OI,
                          const at::Tensor& bias_O) {
  return apply(std::nullopt, x, weight_OI, bias_O);
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight_OI, const at::Tensor& bias_O,
                  const at::Tensor& rounded_OI) {
  if (reference_ops()) return linear_reference(x, weight_OI, bias_O);
  return apply(fastest_products(x), x, weight_OI, bias_O, rounded_OI);
}

}  // namespace fcm::ops
