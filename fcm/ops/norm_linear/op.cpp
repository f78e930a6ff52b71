#include "fcm/ops/norm_linear/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

class NormLinear : public torch::autograd::Function<NormLinear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& weight_OC, const at::Tensor& bias_O,
                            const Optional& rounded, double epsilon) {
    const at::Tensor x_MC = branches::as_rows(x);
    const at::Tensor weight = weight_for(x, weight_OC, rounded.value_or(at::Tensor()));
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    context->save_for_backward({x_MC, norm_weight, norm_bias, normed.statistics_2M, weight});
    context->saved_data["epsilon"] = epsilon;
    branches::save_types(context, {norm_weight, norm_bias, weight_OC, bias_O});
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return branches::multiply(normed.y, weight, bias_O).view(sizes);  // [..., O]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_MC = saved[0], norm_weight = saved[1], norm_bias = saved[2],
                     weight = saved[4];
    const at::Tensor dy_MO = branches::as_rows(gradients[0]);
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias,
                                                    context->saved_data["epsilon"].toDouble())
                                     .y;
    auto [dweight, dbias] = branches::weight_gradients_of(dy_MO, normed_MC);
    LayerNormGradients norm = layer_norm_backward(isa(), branches::input_gradient(dy_MO, weight),
                                                  x_MC, norm_weight, saved[3]);
    branches::restore_types(context, {&norm.dweight_C, &norm.dbias_C, &dweight, &dbias});
    auto sizes = gradients[0].sizes().vec();
    sizes.back() = x_MC.size(1);
    return {norm.dx.view(sizes), norm.dweight_C, norm.dbias_C, dweight, dbias,
            at::Tensor(),        at::Tensor()};
  }
};

}  // namespace

at::Tensor norm_linear(const at::Tensor& x, const NormWeights& norm, const ProductWeights& linear) {
  require(
      x.dim() >= 1 && linear.weight_OI.dim() == 2 && linear.weight_OI.size(1) == x.size(-1) &&
          norm.weight_C.dim() == 1 && norm.weight_C.size(0) == x.size(-1),
      "norm_linear: expected a norm and a weight for {} channels, got a norm of {} and a weight of "
      "{} x {}",
      x.dim() == 0 ? 0 : x.size(-1), norm.weight_C.numel(), linear.weight_OI.size(0),
      linear.weight_OI.size(-1));
  if (x.numel() == 0 || reference_ops()) return norm_linear_reference(x, norm, linear);
  return NormLinear::apply(x, norm.weight_C, norm.bias_C, linear.weight_OI, linear.bias_O,
                           branches::optional(linear.rounded_OI), norm.epsilon);
}

}  // namespace fcm::ops
