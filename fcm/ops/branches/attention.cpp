#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/attention/op.h"
#include "fcm/ops/attention/passes.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/gather_rows/passes.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/layer_norm/passes.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/linear/products.h"
#include "fcm/ops/reference_ops.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Optional = std::optional<at::Tensor>;

// The tokens from `first` on. indices_BT undefined: x is [B, T, C] itself; otherwise x holds rows
// from which the tokens are gathered.
at::Tensor tokens_of(const at::Tensor& x, const at::Tensor& indices_BT, int64_t first) {
  return indices_BT.defined() ? gathered(x, indices_BT.slice(1, first)) : x.slice(1, first);
}

// The adjoint of tokens_of: gradients of M rows from gradients of token sequences.
at::Tensor rows_of(const at::Tensor& dtokens_BTC, const at::Tensor& indices_BT, int64_t first,
                   int64_t rows) {
  if (indices_BT.defined()) return summed_by_row(dtokens_BTC, indices_BT.slice(1, first), rows);
  return branches::as_rows(first == 0 ? dtokens_BTC
                                      : at::constant_pad_nd(dtokens_BTC, {0, 0, first, 0}));
}

// M rows (B * T, or the rows that the tokens are gathered from), D = 3 * C.
class AttentionBranch : public torch::autograd::Function<AttentionBranch> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& norm_weight, const at::Tensor& norm_bias,
                            const at::Tensor& qkv_weight, const at::Tensor& qkv_bias,
                            const at::Tensor& proj_weight, const at::Tensor& proj_bias,
                            const Optional& scale, const Optional& rounded1,
                            const Optional& rounded2, const Optional& places, double epsilon,
                            int64_t heads, int64_t first) {
    const at::Tensor scale_B = scale.value_or(at::Tensor()),
                     indices_BT = places.value_or(at::Tensor());
    const at::Tensor residual = x.contiguous();
    const at::Tensor x_MC = branches::as_rows(residual);
    const at::Tensor qkv_DC = weight_for(x, qkv_weight, rounded1.value_or(at::Tensor()));
    const at::Tensor proj_CC = weight_for(x, proj_weight, rounded2.value_or(at::Tensor()));
    const Normalised normed = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon);
    auto sizes = residual.sizes().vec();
    sizes.back() = qkv_DC.size(0);
    const at::Tensor qkv_BTD =
        tokens_of(branches::multiply(normed.y, qkv_DC, qkv_bias).view(sizes), indices_BT, 0);
    const Attended attended = attention_forward(isa(), qkv_BTD, heads, first);
    context->save_for_backward({residual, normed.statistics_2M, qkv_BTD, attended.statistics_NhT2,
                                norm_weight, norm_bias, qkv_DC, proj_CC, scale_B, indices_BT});
    context->saved_data["epsilon"] = epsilon;
    context->saved_data["heads"] = heads;
    context->saved_data["first"] = first;
    branches::save_types(context,
                         {norm_weight, norm_bias, qkv_weight, qkv_bias, proj_weight, proj_bias});
    return branches::end_branch(tokens_of(residual, indices_BT, first),
                                branches::as_rows(attended.out_NTC), proj_CC, proj_bias,
                                scale_B);  // [B, T - first, C]
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &statistics_2M = saved[1], qkv_BTD = saved[2], attention_statistics = saved[3],
                     norm_weight = saved[4], norm_bias = saved[5], qkv_DC = saved[6],
                     proj_CC = saved[7], scale_B = saved[8], indices_BT = saved[9];
    const double epsilon = context->saved_data["epsilon"].toDouble();
    const int64_t first = context->saved_data["first"].toInt();
    const at::Tensor x_MC = branches::as_rows(saved[0]);
    const at::Tensor dy = gradients[0].contiguous();  // [B, T - first, C]
    const at::Tensor dbranch_MC = branches::branch_gradient(dy, scale_B);

    const at::Tensor dattended = branches::input_gradient(dbranch_MC, proj_CC).view(dy.sizes());
    const AttentionGradients attention =
        attention_backward(isa(), dattended, qkv_BTD, attention_statistics,
                           context->saved_data["heads"].toInt(), /*recompute_out=*/true, first);
    auto [dproj, dproj_bias] =
        branches::weight_gradients_of(dbranch_MC, branches::as_rows(attention.out_NTC));
    const at::Tensor dqkv_MD = rows_of(attention.dqkv_NTD, indices_BT, 0, x_MC.size(0));
    const at::Tensor normed_MC = layer_norm_forward(isa(), x_MC, norm_weight, norm_bias, epsilon).y;
    auto [dqkv, dqkv_bias] = branches::weight_gradients_of(dqkv_MD, normed_MC);
    branches::zero_key_gradient(dqkv_bias);
    LayerNormGradients norm =
        layer_norm_backward(isa(), branches::input_gradient(dqkv_MD, qkv_DC), x_MC, norm_weight,
                            statistics_2M, rows_of(dy, indices_BT, first, x_MC.size(0)));
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
            at::Tensor(),
            at::Tensor()};
  }
};

// Calls the operators one after another, for sequences that our own kernels do not support. x and
// indices_BT as in tokens_of.
at::Tensor composed(const at::Tensor& x, const at::Tensor& indices_BT, const NormWeights& norm,
                    const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                    const at::Tensor& scale_B, int64_t first) {
  at::Tensor qkv_BTD =
      linear(layer_norm(x, norm.weight_C, norm.bias_C, norm.epsilon), qkv.weight_OI,
             branches::without_key_gradient(qkv.bias_O), qkv.rounded_OI);
  at::Tensor residual_BTC = x;
  if (indices_BT.defined()) {
    qkv_BTD = gather_rows(qkv_BTD, indices_BT);
    residual_BTC = gather_rows(x, indices_BT);
  }
  residual_BTC = residual_BTC.slice(1, first);
  const at::Tensor attended_BTC = attention(qkv_BTD, heads).slice(1, first);
  const at::Tensor branch_BTC = linear(attended_BTC, proj.weight_OI, proj.bias_O, proj.rounded_OI);
  if (!scale_B.defined()) return residual_BTC + branch_BTC;
  return residual_BTC + branch_BTC * scale_B.to(x.options()).view({-1, 1, 1});
}

void check(const at::Tensor& x, int64_t tokens, const ProductWeights& qkv,
           const ProductWeights& proj, int64_t heads, int64_t first) {
  const int64_t channels = x.size(-1);
  require(heads > 0 && channels % heads == 0 && qkv.weight_OI.size(0) == 3 * channels &&
              qkv.weight_OI.size(1) == channels && proj.weight_OI.size(1) == channels &&
              proj.weight_OI.size(0) == channels,
          "attention_branch: expected heads and weights that fit, got {} channels, {} heads and a "
          "qkv weight of {} x {}",
          channels, heads, qkv.weight_OI.size(0), qkv.weight_OI.size(1));
  require(first >= 0 && first < tokens,
          "attention_branch: got first query token {}, expected one of {} tokens", first, tokens);
}

at::Tensor apply(const at::Tensor& x, const at::Tensor& indices_BT, const NormWeights& norm,
                 const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                 const at::Tensor& scale_B, int64_t first) {
  if (!attention_fits(indices_BT.defined() ? indices_BT : x, x.size(-1) / heads)) {
    return composed(x, indices_BT, norm, qkv, proj, heads, scale_B, first);
  }
  return AttentionBranch::apply(x, norm.weight_C, norm.bias_C, qkv.weight_OI, qkv.bias_O,
                                proj.weight_OI, proj.bias_O, branches::optional(scale_B),
                                branches::optional(qkv.rounded_OI),
                                branches::optional(proj.rounded_OI), branches::optional(indices_BT),
                                norm.epsilon, heads, first);
}

}  // namespace

at::Tensor attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                            const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                            const at::Tensor& scale_B, int64_t first) {
  require(x_BTC.dim() == 3, "attention_branch: expected x [B, T, C], got {} dimensions",
          x_BTC.dim());
  check(x_BTC, x_BTC.size(1), qkv, proj, heads, first);
  if (x_BTC.numel() == 0 || reference_ops()) {
    return attention_branch_reference(x_BTC, norm, qkv, proj, heads, scale_B, first);
  }
  return apply(x_BTC, {}, norm, qkv, proj, heads, scale_B, first);
}

at::Tensor attention_branch_of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_BT,
                                    const NormWeights& norm, const ProductWeights& qkv,
                                    const ProductWeights& proj, int64_t heads, int64_t first) {
  require(rows_RC.dim() == 2 && indices_BT.dim() == 2 && indices_BT.scalar_type() == at::kLong,
          "attention_branch_of_rows: expected a matrix and int64 indices [B, T], got {} and {} "
          "dimensions, indices of {}",
          rows_RC.dim(), indices_BT.dim(), at::toString(indices_BT.scalar_type()));
  check(rows_RC, indices_BT.size(1), qkv, proj, heads, first);
  if (indices_BT.numel() == 0 || reference_ops()) {
    return attention_branch_of_rows_reference(rows_RC, indices_BT, norm, qkv, proj, heads, first);
  }
  return apply(rows_RC, indices_BT, norm, qkv, proj, heads, {}, first);
}

}  // namespace fcm::ops
