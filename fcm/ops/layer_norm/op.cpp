#include "fcm/ops/layer_norm/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LayerNormFunction : public torch::autograd::Function<LayerNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_C, const at::Tensor& bias_C, double epsilon,
                            int64_t isa) {
    const at::Tensor rows = x.contiguous();
    const Normalised normalised =
        layer_norm_forward(static_cast<Isa>(isa), rows, weight_C, bias_C, epsilon);
    context->save_for_backward({rows, weight_C, normalised.statistics_2M});
    context->saved_data["isa"] = isa;
    context->saved_data["bias_type"] = static_cast<int64_t>(bias_C.scalar_type());
    return normalised.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const LayerNormGradients result =
        layer_norm_backward(static_cast<Isa>(context->saved_data["isa"].toInt()),
                            gradients[0].contiguous(), saved[0], saved[1], saved[2]);
    const auto bias_type = static_cast<at::ScalarType>(context->saved_data["bias_type"].toInt());
    return {result.dx, result.dweight_C.to(saved[1].scalar_type()), result.dbias_C.to(bias_type),
            at::Tensor(), at::Tensor()};
  }
};

void check_layer_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C) {
  require(x.dim() >= 1 && x.size(-1) > 0, "layer_norm: expected rows of at least one element");
  const auto type = x.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "layer_norm: expected float32, bfloat16 or float64, got {}", at::toString(type));
  require(weight_C.dim() == 1 && weight_C.size(0) == x.size(-1) && bias_C.dim() == 1 &&
              bias_C.size(0) == x.size(-1),
          "layer_norm: expected weight and bias of {} channels, got {} and {} elements", x.size(-1),
          weight_C.numel(), bias_C.numel());
}

}  // namespace

at::Tensor layer_norm_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                           const at::Tensor& bias_C, double epsilon) {
  check_layer_norm(x, weight_C, bias_C);
  if (x.numel() == 0) return layer_norm_reference(x, weight_C, bias_C, epsilon);
  return LayerNormFunction::apply(x, weight_C, bias_C, epsilon, static_cast<int64_t>(isa));
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight_C, const at::Tensor& bias_C,
                      double epsilon) {
  if (reference_ops()) return layer_norm_reference(x, weight_C, bias_C, epsilon);
  return layer_norm_with(isa(), x, weight_C, bias_C, epsilon);
}

}  // namespace fcm::ops
