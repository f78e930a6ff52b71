#include "fcm/ops/gelu/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/gelu/passes.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class GeluFunction : public torch::autograd::Function<GeluFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, int64_t isa) {
    const at::Tensor from = x.contiguous();
    context->save_for_backward({from});
    context->saved_data["isa"] = isa;
    return gelu_forward(static_cast<Isa>(isa), from);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto isa = static_cast<Isa>(context->saved_data["isa"].toInt());
    const at::Tensor dx =
        gelu_backward(isa, gradients[0].contiguous(), context->get_saved_variables()[0]);
    return {dx, at::Tensor()};
  }
};

}  // namespace

at::Tensor gelu_with(Isa isa, const at::Tensor& x) {
  const auto type = x.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "gelu: expected float32, bfloat16 or float64, got {}", at::toString(type));
  if (x.numel() == 0) return x + 0;
  return GeluFunction::apply(x, static_cast<int64_t>(isa));
}

at::Tensor gelu(const at::Tensor& x) {
  return reference_ops() ? gelu_reference(x) : gelu_with(isa(), x);
}

}  // namespace fcm::ops
