#include "fcm/ops/norm_gelu/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/gelu/passes.h"
#include "fcm/ops/layer_norm/passes.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class NormGelu : public torch::autograd::Function<NormGelu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_C, const at::Tensor& bias_C, double epsilon) {
    const at::Tensor from = x.contiguous();
    const Normalised normed = layer_norm_forward(isa(), from, weight_C, bias_C, epsilon);
    context->save_for_backward({from, weight_C, bias_C, normed.statistics_2M});
    context->saved_data["epsilon"] = epsilon;
    return gelu_forward(isa(), normed.y);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], weight_C = saved[1], bias_C = saved[2];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const at::Tensor normed = layer_norm_forward(isa(), x, weight_C, bias_C, epsilon).y;
    const LayerNormGradients norm = layer_norm_backward(
        isa(), gelu_backward(isa(), gradients[0].contiguous(), normed), x, weight_C, saved[3]);
    return {norm.dx, norm.dweight_C.to(weight_C.scalar_type()),
            norm.dbias_C.to(bias_C.scalar_type()), at::Tensor()};
  }
};

}  // namespace

at::Tensor norm_gelu(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                     double epsilon) {
  require(x.dim() >= 1 && weight_C.dim() == 1 && weight_C.size(0) == x.size(-1) &&
              bias_C.sizes() == weight_C.sizes(),
          "norm_gelu over {} channels got a weight of {} and a bias of {} elements",
          x.dim() == 0 ? 0 : x.size(-1), weight_C.numel(), bias_C.numel());
  if (x.numel() == 0) return norm_gelu_reference(x, weight_C, bias_C, epsilon);
  return NormGelu::apply(x, weight_C, bias_C, epsilon);
}

}  // namespace fcm::ops
