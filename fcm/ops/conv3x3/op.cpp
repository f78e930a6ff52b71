#include "fcm/ops/conv3x3/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/ops/conv3x3/passes.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class Conv3x3Function : public torch::autograd::Function<Conv3x3Function> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BHWI,
                            const at::Tensor& weight_O33I, int64_t isa) {
    const at::Tensor x = x_BHWI.contiguous();
    context->save_for_backward({x, weight_O33I});
    context->saved_data["isa"] = isa;
    return conv3x3_forward(static_cast<Isa>(isa), wide(x), wide(weight_O33I)).to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const ConvGradients found =
        conv3x3_backward(static_cast<Isa>(context->saved_data["isa"].toInt()), wide(saved[0]),
                         wide(saved[1]), wide(gradients[0]), context->needs_input_grad(0));
    const at::Tensor dx = found.dx_BHWI;
    return {dx.defined() ? dx.to(saved[0].scalar_type()) : dx,
            found.dweight_O33I.to(saved[1].scalar_type()), at::Tensor()};
  }

 private:
  static at::Tensor wide(const at::Tensor& x) {
    return x.to(at::promote_types(x.scalar_type(), at::kFloat)).contiguous();
  }
};

}  // namespace

at::Tensor conv3x3_with(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  return Conv3x3Function::apply(x_BHWI, weight_O33I, static_cast<int64_t>(isa));
}

at::Tensor conv3x3(const at::Tensor& x_BHWI, const at::Tensor& weight_O33I) {
  if (reference_ops() || x_BHWI.is_cuda()) return conv3x3_reference(x_BHWI, weight_O33I);
  return conv3x3_with(isa(), x_BHWI, weight_O33I);
}

}  // namespace fcm::ops
