#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/attention/op.h"
#include "fcm/ops/attention/passes.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/linear/products.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

// `first` tokens without a gradient in front of the others.
at::Tensor with_rows_before(const at::Tensor& dy_BTC, int64_t first) {
  return first == 0 ? dy_BTC : at::constant_pad_nd(dy_BTC, {0, 0, first, 0});
}

// M = B * T rows, D = 3 * C.
class AttentionBranch : public torch::autograd::Function<AttentionBranch> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_BTC,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& qkv_weight, const at::Tensor& qkv_bias,
                            const at::Tensor& proj_weight, const at::Tensor& proj_bias,
                            const Optional& scale, const Optional& rounded1,
                            const Optional& rounded2, double epsilon, int64_t heads,
                            int64_t first) {
    const at::Tensor scale_B = scale.value_or(at::Tensor());
    const at::Tensor residual = x_BTC.contiguous();
    const at::Tensor x_MC = branches::as_rows(residual);
    const at::Tensor qkv_DC = weight_for(x_BTC, qkv_weight, rounded1.value_or(at::Tensor()));
    const at::Tensor proj_CC = weight_for(x_BTC, proj_weight, rounded2.value_or(at::Tensor()));
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    const at::Tensor qkv_BTD =
        branches::multiply(normed.y, qkv_DC, qkv_bias).view({x_BTC.size(0), x_BTC.size(1), -1});
    const Attended attended = attention_forward(isa(), qkv_BTD, heads, first);
    context->save_for_backward({residual, normed.statistics_2M, qkv_BTD, attended.statistics_NhT2,
                                norm_weight, norm_bias, qkv_DC, proj_CC, scale_B});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["heads"] = heads;
    context->saved_data["first"] = first;
    branches::keep_types(context,
                         {norm_weight, norm_bias, qkv_weight, qkv_bias, proj_weight, proj_bias});
    return branches::end_branch(residual.slice(1, first), branches::as_rows(attended.out_NTC),
                                proj_CC, proj_bias,
                                scale_B);  // [B, T - first, C]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &statistics_2M = saved[1], qkv_BTD = saved[2], attention_statistics = saved[3],
                     norm_weight = saved[4], norm_bias = saved[5], qkv_DC = saved[6],
                     proj_CC = saved[7], scale_B = saved[8];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const int64_t first = context->saved_data["first"].toInt();
    const at::Tensor x_MC = branches::as_rows(saved[0]);
    const at::Tensor dy = gradients[0].contiguous();  // [B, T - first, C]
    const at::Tensor dbranch_MC = branches::branch_gradient(dy, scale_B);

    const at::Tensor dattended = branches::input_gradient(dbranch_MC, proj_CC).view(dy.sizes());
    const AttentionGradients attention =
        attention_backward(isa(), dattended, qkv_BTD, attention_statistics,
                           context->saved_data["heads"].toInt(), /*out_again=*/true, first);
    auto [dproj, dproj_bias] =
        branches::weight_gradients_of(dbranch_MC, branches::as_rows(attention.out_NTC));
    const at::Tensor dqkv_MD = branches::as_rows(attention.dqkv_NTD);
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon).y;
    auto [dqkv, dqkv_bias] = branches::weight_gradients_of(dqkv_MD, normed_MC);
    LayerNormGradients norm =
        layer_norm_backward(isa(), branches::input_gradient(dqkv_MD, qkv_DC), x_MC, norm_weight,
                            statistics_2M, branches::as_rows(with_rows_before(dy, first)));
    branches::restore_types(
        context, {&norm.dweight_C, &norm.dbias_C, &dqkv, &dqkv_bias, &dproj, &dproj_bias});
    return {norm.dx.view(saved[0].sizes()),
            norm.dweight_C,
            norm.dbias_C,
            dqkv,
            dqkv_bias,
            dproj,
            dproj_bias,
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

// Sequences that own kernels do not take: the operators one after another.
at::Tensor composed(const at::Tensor& x_BTC, const NormWeights& norm, const ProductWeights& qkv,
                    const ProductWeights& proj, int64_t heads, const at::Tensor& scale_B,
                    int64_t first) {
  const at::Tensor qkv_BTD = linear(layer_norm(x_BTC, norm.weight_C, norm.bias_C, norm.epsilon),
                                    qkv.weight_OI, qkv.bias_O, qkv.rounded_OI);
  const at::Tensor attended_BTC = attention(qkv_BTD, heads).slice(1, first);
  const at::Tensor branch_BTC = linear(attended_BTC, proj.weight_OI, proj.bias_O, proj.rounded_OI);
  const at::Tensor residual_BTC = x_BTC.slice(1, first);
  if (!scale_B.defined()) return residual_BTC + branch_BTC;
  return residual_BTC + branch_BTC * scale_B.to(x_BTC.options()).view({-1, 1, 1});
}

}  // namespace

at::Tensor attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                            const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                            const at::Tensor& scale_B, int64_t first) {
  require(x_BTC.dim() == 3 && heads > 0 && x_BTC.size(2) % heads == 0 &&
              qkv.weight_OI.size(0) == 3 * x_BTC.size(2) &&
              qkv.weight_OI.size(1) == x_BTC.size(2) && proj.weight_OI.size(1) == x_BTC.size(2) &&
              proj.weight_OI.size(0) == x_BTC.size(2),
          "attention_branch got {} dimensions, the last of {}, for {} heads and a qkv weight of {} "
          "x {}",
          x_BTC.dim(), x_BTC.size(-1), heads, qkv.weight_OI.size(0), qkv.weight_OI.size(1));
  require(first >= 0 && first < x_BTC.size(1), "attention_branch of {} tokens from token {} on",
          x_BTC.size(1), first);
  if (x_BTC.numel() == 0)
    return attention_branch_reference(x_BTC, norm, qkv, proj, heads, scale_B, first);
  if (!attention_fits(x_BTC, x_BTC.size(2) / heads)) {
    return composed(x_BTC, norm, qkv, proj, heads, scale_B, first);
  }
  return AttentionBranch::apply(x_BTC, norm.weight_C, norm.bias_C, qkv.weight_OI, qkv.bias_O,
                                proj.weight_OI, proj.bias_O, branches::optional(scale_B),
                                branches::optional(qkv.rounded_OI),
                                branches::optional(proj.rounded_OI), norm.epsilon, heads, first);
}

}  // namespace fcm::ops
