#include <ATen/ATen.h>

#include <span>

#include "fcm/base/error.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/window_attention/op.h"
#include "fcm/ops/window_attention/passes.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

// M = B * T rows, D = 3 * C.
class WindowAttentionBranch : public torch::autograd::Function<WindowAttentionBranch> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTC,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& qkv_weight, const at::Tensor& qkv_bias,
                            const at::Tensor& table_RH, const at::Tensor& proj_weight,
                            const at::Tensor& proj_bias, const Optional& scale,
                            const Optional& rounded1, const Optional& rounded2, double epsilon,
                            const WindowSets& sets) {
    const at::Tensor scale_B = scale.value_or(at::Tensor());
    const at::Tensor residual = x_BTC.contiguous();
    const at::Tensor x_MC = branches::as_rows(residual);
    const at::Tensor qkv_DC = weight_for(x_BTC, qkv_weight, rounded1.value_or(at::Tensor()));
    const at::Tensor proj_CC = weight_for(x_BTC, proj_weight, rounded2.value_or(at::Tensor()));
    const at::Tensor bias_hR = biases_by_head(table_RH, residual.scalar_type());
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    auto sizes = residual.sizes().vec();
    sizes.back() = qkv_DC.size(0);
    const at::Tensor qkv_BTD = branches::multiply(normed.y, qkv_DC, qkv_bias).view(sizes);
    const WindowAttended attended = window_attention_forward(isa(), qkv_BTD, bias_hR, sets);
    variable_list kept{residual,    normed.statistics_2M,
                       qkv_BTD,     attended.statistics_BhT2,
                       norm_weight, norm_bias,
                       qkv_DC,      proj_CC,
                       scale_B,     bias_hR};
    for (const at::Tensor& of_sets : sets.tensors()) kept.push_back(of_sets);
    context->save_for_backward(kept);
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["sets"] = sets.numbers();
    branches::save_types(
        context, {norm_weight, norm_bias, qkv_weight, qkv_bias, table_RH, proj_weight, proj_bias});
    return branches::end_branch(residual, branches::as_rows(attended.out_BTC), proj_CC, proj_bias,
                                scale_B);  // [B, T, C]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &statistics_2M = saved[1], qkv_BTD = saved[2], scores_statistics = saved[3],
                     norm_weight = saved[4], norm_bias = saved[5], qkv_DC = saved[6],
                     proj_CC = saved[7], scale_B = saved[8], bias_hR = saved[9];
    const WindowSets sets =
        WindowSets::of(std::span(saved).subspan(10), context->saved_data["sets"].toIntVector());
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const at::Tensor x_MC = branches::as_rows(saved[0]);
    const at::Tensor dy = gradients[0].contiguous();  // [B, T, C]
    const at::Tensor dbranch_MC = branches::branch_gradient(dy, scale_B);

    const at::Tensor dattended = branches::input_gradient(dbranch_MC, proj_CC).view(dy.sizes());
    WindowAttentionGradients attention =
        window_attention_backward(isa(), dattended, qkv_BTD, bias_hR, scores_statistics, sets,
                                  /*recompute_out=*/true);
    auto [dproj, dproj_bias] =
        branches::weight_gradients_of(dbranch_MC, branches::as_rows(attention.out_BTC));
    const at::Tensor dqkv_MD = branches::as_rows(attention.dqkv_BTD);
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon).y;
    auto [dqkv, dqkv_bias] = branches::weight_gradients_of(dqkv_MD, normed_MC);
    branches::zero_key_gradient(dqkv_bias);
    LayerNormGradients norm =
        layer_norm_backward(isa(), branches::input_gradient(dqkv_MD, qkv_DC), x_MC, norm_weight,
                            statistics_2M, branches::as_rows(dy));
    branches::restore_types(context, {&norm.dweight_C, &norm.dbias_C, &dqkv, &dqkv_bias,
                                      &attention.dtable_RH, &dproj, &dproj_bias});
    return {norm.dx.view(saved[0].sizes()),
            norm.dweight_C,
            norm.dbias_C,
            dqkv,
            dqkv_bias,
            attention.dtable_RH,
            dproj,
            dproj_bias,
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

// Calls the operators one after another, for sets with padding and sets that our own kernels do not
// support.
at::Tensor composed_windows(const at::Tensor& x_BTC, const NormWeights& norm,
                            const ProductWeights& qkv, const at::Tensor& table_RH,
                            const ProductWeights& proj, const WindowSets& sets,
                            const at::Tensor& scale_B) {
  const at::Tensor bias_D = branches::without_key_gradient(qkv.bias_O);
  const at::Tensor qkv_BTD = linear(layer_norm(x_BTC, norm.weight_C, norm.bias_C, norm.epsilon),
                                    qkv.weight_OI, bias_D, qkv.rounded_OI);
  const at::Tensor attended_BTC =
      window_attention(branches::with_padding(qkv_BTD, bias_D, sets.padding), table_RH, sets)
          .narrow(1, 0, x_BTC.size(1));
  const at::Tensor branch_BTC = linear(attended_BTC, proj.weight_OI, proj.bias_O, proj.rounded_OI);
  if (!scale_B.defined()) return x_BTC + branch_BTC;
  return x_BTC + branch_BTC * scale_B.to(x_BTC.options()).view({-1, 1, 1});
}

}  // namespace

at::Tensor window_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                   const ProductWeights& qkv, const at::Tensor& table_RH,
                                   const ProductWeights& proj, const WindowSets& sets,
                                   const at::Tensor& scale_B) {
  require(
      x_BTC.dim() == 3 && table_RH.dim() == 2 && table_RH.size(0) == sets.table_rows &&
          x_BTC.size(2) % std::max<int64_t>(1, table_RH.size(1)) == 0 &&
          qkv.weight_OI.size(0) == 3 * x_BTC.size(2) &&
          sets.tokens() == x_BTC.size(1) + sets.padding &&
          (sets.plans() == 1 || sets.plans() == x_BTC.size(0)),
      "window_attention_branch: got x of {} dimensions, {} plans of {} tokens and a table of {} "
      "rows, expected x [B, T, C], one plan for all images or one each, and a table of {} rows",
      x_BTC.dim(), sets.plans(), sets.tokens(), table_RH.size(0), sets.table_rows);
  if (x_BTC.numel() == 0 || reference_ops()) {
    return window_attention_branch_reference(x_BTC, norm, qkv, table_RH, proj, sets, scale_B);
  }
  if (sets.padding > 0 || !window_attention_fits(x_BTC, x_BTC.size(2) / table_RH.size(1))) {
    return composed_windows(x_BTC, norm, qkv, table_RH, proj, sets, scale_B);
  }
  return WindowAttentionBranch::apply(
      x_BTC, norm.weight_C, norm.bias_C, qkv.weight_OI, qkv.bias_O, table_RH, proj.weight_OI,
      proj.bias_O, branches::optional(scale_B), branches::optional(qkv.rounded_OI),
      branches::optional(proj.rounded_OI), norm.epsilon, sets);
}

}  // namespace fcm::ops
