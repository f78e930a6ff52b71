#include "fcm/ops/patch_embed/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/gelu/passes.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

// A product with few inputs and many outputs is cheap to recompute and large to save.
bool cheap(const at::Tensor& weight_OI) { return 4 * weight_OI.size(1) <= weight_OI.size(0); }

class PatchEmbed : public torch::autograd::Function<PatchEmbed> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight_OI, const at::Tensor& bias_O,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const Optional& rounded, double epsilon) {
    const at::Tensor x_MI = branches::as_rows(x);
    const at::Tensor weight = weight_for(x, weight_OI, rounded.value_or(at::Tensor()));
    const at::Tensor product_MO = branches::multiply(x_MI, weight, bias_O);
    const Normalised normed =
        layer_norm_forward(isa(), product_MO, norm_weight, norm_bias, epsilon);
    context->save_for_backward({x_MI, weight, bias_O, cheap(weight) ? at::Tensor() : product_MO,
                                norm_weight, norm_bias, normed.statistics_2M});
    context->saved_data["epsilon"] = epsilon;
    branches::save_types(context, {weight_OI, bias_O, norm_weight, norm_bias});
    auto sizes = x.sizes().vec();
    sizes.back() = weight.size(0);
    return gelu_forward(isa(), normed.y).view(sizes);  // [..., O]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_MI = saved[0], weight = saved[1], norm_weight = saved[4],
                     norm_bias = saved[5];
    const at::Tensor product_MO =
        saved[3].defined() ? saved[3] : branches::multiply(x_MI, weight, saved[2]);
    const at::Tensor normed_MO = layer_norm_forward(isa(), product_MO, norm_weight, norm_bias,
                                                    context->saved_data["epsilon"].toDouble())
                                     .y;
    const at::Tensor dnormed_MO = gelu_backward(isa(), branches::as_rows(gradients[0]), normed_MO);
    LayerNormGradients norm =
        layer_norm_backward(isa(), dnormed_MO, product_MO, norm_weight, saved[6]);
    auto [dweight, dbias] = branches::weight_gradients_of(norm.dx, x_MI);
    at::Tensor dx;
    if (context->needs_input_grad(0)) {  // not for the first embedding, whose input is pixels
      auto sizes = gradients[0].sizes().vec();
      sizes.back() = x_MI.size(1);
      dx = branches::input_gradient(norm.dx, weight).view(sizes);
    }
    branches::restore_types(context, {&dweight, &dbias, &norm.dweight_C, &norm.dbias_C});
    return {dx, dweight, dbias, norm.dweight_C, norm.dbias_C, at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor patch_embed(const at::Tensor& x, const ProductWeights& proj, const NormWeights& norm) {
  require(
      x.dim() >= 1 && proj.weight_OI.dim() == 2 && proj.weight_OI.size(1) == x.size(-1) &&
          norm.weight_C.sizes() == proj.bias_O.sizes(),
      "patch_embed: expected windows, weight and norm that fit, got windows of {} values, a weight "
      "of {} x {} and a norm of {} channels",
      x.dim() == 0 ? 0 : x.size(-1), proj.weight_OI.size(0), proj.weight_OI.size(-1),
      norm.weight_C.numel());
  if (x.numel() == 0 || reference_ops()) return patch_embed_reference(x, proj, norm);
  return PatchEmbed::apply(x, proj.weight_OI, proj.bias_O, norm.weight_C, norm.bias_C,
                           branches::optional(proj.rounded_OI), norm.epsilon);
}

}  // namespace fcm::ops
