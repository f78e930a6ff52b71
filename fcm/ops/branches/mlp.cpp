#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/gelu/passes.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

struct Hidden {
  at::Tensor sum_MH, active_MH;  // before and after the activation
};

// On a GPU the product adds the bias for free; on the CPU the activation pass adds it.
Hidden activated(const at::Tensor& x_MC, const at::Tensor& weight_HC, const at::Tensor& bias_H) {
  if (on_cuda(x_MC)) {
    const at::Tensor sum_MH = branches::multiply(x_MC, weight_HC, bias_H);
    return {sum_MH, gelu_forward(isa(), sum_MH)};
  }
  const at::Tensor sum_MH = branches::multiply(x_MC, weight_HC, at::Tensor());
  const at::Tensor active_MH = gelu_of_product(isa(), sum_MH, bias_H);
  return {sum_MH, active_MH};
}

// M: rows of x, H: hidden channels.
class MlpBranch : public torch::autograd::Function<MlpBranch> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& weight1, const at::Tensor& bias1,
                            const at::Tensor& weight2, const at::Tensor& bias2,
                            const Optional& scale, const Optional& rounded1,
                            const Optional& rounded2, double epsilon) {
    const at::Tensor scale_B = scale.value_or(at::Tensor());
    const at::Tensor residual = x.contiguous();
    const at::Tensor x_MC = branches::as_rows(residual);
    const at::Tensor fc1_HC = weight_for(x, weight1, rounded1.value_or(at::Tensor())),
                     fc2_CH = weight_for(x, weight2, rounded2.value_or(at::Tensor()));
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    const auto [hidden_MH, active_MH] = activated(normed.y, fc1_HC, bias1);
    context->save_for_backward({residual, normed.statistics_2M, hidden_MH, norm_weight, norm_bias,
                                fc1_HC, fc2_CH, scale_B});
    context->saved_data["epsilon"] = epsilon;
    branches::save_types(context, {norm_weight, norm_bias, weight1, bias1, weight2, bias2});
    return branches::end_branch(residual, active_MH, fc2_CH, bias2, scale_B);  // like x
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &statistics_2M = saved[1], hidden_MH = saved[2], norm_weight = saved[3],
                     norm_bias = saved[4], fc1_HC = saved[5], fc2_CH = saved[6], scale_B = saved[7];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const at::Tensor x_MC = branches::as_rows(saved[0]);
    const at::Tensor dy = gradients[0].contiguous();
    const at::Tensor dbranch_MC = branches::branch_gradient(dy, scale_B);

    const at::Tensor dhidden_MH = branches::input_gradient(dbranch_MC, fc2_CH);
    const GeluRecomputed active = gelu_backward_recompute(isa(), dhidden_MH, hidden_MH);
    auto [dfc2, dbias2] = branches::weight_gradients_of(dbranch_MC, active.y_MC);
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon).y;
    auto [dfc1, dbias1] = branches::weight_gradients_of(dhidden_MH, normed_MC, active.sums_C);
    LayerNormGradients norm =
        layer_norm_backward(isa(), branches::input_gradient(dhidden_MH, fc1_HC), x_MC, norm_weight,
                            statistics_2M, branches::as_rows(dy));
    branches::restore_types(context,
                            {&norm.dweight_C, &norm.dbias_C, &dfc1, &dbias1, &dfc2, &dbias2});
    return {norm.dx.view(dy.sizes()),
            norm.dweight_C,
            norm.dbias_C,
            dfc1,
            dbias1,
            dfc2,
            dbias2,
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor mlp_branch(const at::Tensor& x, const NormWeights& norm, const ProductWeights& fc1,
                      const ProductWeights& fc2, const at::Tensor& scale_B) {
  require(
      x.dim() >= 2 && fc1.weight_OI.size(1) == x.size(-1) && fc2.weight_OI.size(0) == x.size(-1) &&
          fc2.weight_OI.size(1) == fc1.weight_OI.size(0),
      "mlp_branch: expected weights that fit, got rows of {} elements and weights of {} x {} and "
      "{} x {}",
      x.size(-1), fc1.weight_OI.size(0), fc1.weight_OI.size(1), fc2.weight_OI.size(0),
      fc2.weight_OI.size(1));
  if (x.numel() == 0 || reference_ops()) return mlp_branch_reference(x, norm, fc1, fc2, scale_B);
  return MlpBranch::apply(x, norm.weight_C, norm.bias_C, fc1.weight_OI, fc1.bias_O, fc2.weight_OI,
                          fc2.bias_O, branches::optional(scale_B),
                          branches::optional(fc1.rounded_OI), branches::optional(fc2.rounded_OI),
                          norm.epsilon);
}

}  // namespace fcm::ops
