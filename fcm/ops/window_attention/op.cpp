#include "fcm/ops/window_attention/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <span>

#include "fcm/base/error.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/window_attention/passes.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class WindowAttentionFunction : public torch::autograd::Function<WindowAttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_BTD,
                            const at::Tensor& table_RH, const WindowSets& sets, int64_t isa) {
    const at::Tensor qkv = qkv_BTD.contiguous();
    const at::Tensor bias_hR = biases_by_head(table_RH, qkv.scalar_type());
    const WindowAttended attended =
        window_attention_forward(static_cast<Isa>(isa), qkv, bias_hR, sets);
    variable_list kept{qkv, bias_hR, attended.statistics_BhT2};
    for (const at::Tensor& of_sets : sets.tensors()) kept.push_back(of_sets);
    context->save_for_backward(kept);
    context->saved_data["sets"] = sets.numbers();
    context->saved_data["isa"] = isa;
    context->saved_data["table_type"] = static_cast<int64_t>(table_RH.scalar_type());
    return attended.out_BTC;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const WindowSets sets =
        WindowSets::of(std::span(saved).subspan(3), context->saved_data["sets"].toIntVector());
    const WindowAttentionGradients result = window_attention_backward(
        static_cast<Isa>(context->saved_data["isa"].toInt()), gradients[0].contiguous(), saved[0],
        saved[1], saved[2], sets, /*recompute_out=*/false);
    const auto type = static_cast<at::ScalarType>(context->saved_data["table_type"].toInt());
    return {result.dqkv_BTD, result.dtable_RH.to(type), at::Tensor(), at::Tensor()};
  }
};

void check_window_attention(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                            const WindowSets& sets) {
  const auto type = qkv_BTD.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "window_attention: expected float32, bfloat16 or float64, got {}", at::toString(type));
  require(table_RH.dim() == 2 && table_RH.size(0) == sets.table_rows && table_RH.size(1) > 0,
          "window_attention: expected a table of {} rows, got {} dimensions, the first of {}",
          sets.table_rows, table_RH.dim(), table_RH.size(0));
  require(
      qkv_BTD.dim() == 3 && qkv_BTD.size(2) % (3 * table_RH.size(1)) == 0,
      "window_attention: expected [B, T, 3 * C] with C a multiple of {} heads, got {} dimensions, "
      "the last of {}",
      table_RH.size(1), qkv_BTD.dim(), qkv_BTD.size(-1));
  require(
      sets.tokens() == qkv_BTD.size(1) && (sets.plans() == 1 || sets.plans() == qkv_BTD.size(0)),
      "window_attention: expected one plan, or one per image, with as many tokens as an image; got "
      "{} plans of {} tokens for {} images of {} tokens",
      sets.plans(), sets.tokens(), qkv_BTD.size(0), qkv_BTD.size(1));
}

}  // namespace

at::Tensor window_attention_with(Isa isa, const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                 const WindowSets& sets) {
  check_window_attention(qkv_BTD, table_RH, sets);
  if (qkv_BTD.numel() == 0) return window_attention_reference(qkv_BTD, table_RH, sets);
  return WindowAttentionFunction::apply(qkv_BTD, table_RH, sets, static_cast<int64_t>(isa));
}

at::Tensor window_attention(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                            const WindowSets& sets) {
  check_window_attention(qkv_BTD, table_RH, sets);
  if (qkv_BTD.numel() == 0 || reference_ops()) {
    return window_attention_reference(qkv_BTD, table_RH, sets);
  }
  if (!window_attention_fits(qkv_BTD, qkv_BTD.size(2) / (3 * table_RH.size(1)))) {
    return window_attention_library(qkv_BTD, table_RH, sets);
  }
  return window_attention_with(isa(), qkv_BTD, table_RH, sets);
}

}  // namespace fcm::ops
