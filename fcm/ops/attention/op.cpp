#include "fcm/ops/attention/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "fcm/base/error.h"
#include "fcm/ops/attention/passes.h"
#include "fcm/ops/cuda/place.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv_NTD, int64_t heads,
                            int64_t isa) {
    const at::Tensor qkv = qkv_NTD.contiguous();
    const Attended attended = attention_forward(static_cast<Isa>(isa), qkv, heads);
    context->save_for_backward({qkv, attended.statistics_NhT2});
    context->saved_data["heads"] = heads;
    context->saved_data["isa"] = isa;
    return attended.out_NTC;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const AttentionGradients result = attention_backward(
        static_cast<Isa>(context->saved_data["isa"].toInt()), gradients[0].contiguous(), saved[0],
        saved[1], context->saved_data["heads"].toInt(), /*recompute_out=*/false);
    return {result.dqkv_NTD, at::Tensor(), at::Tensor()};
  }
};

void check_attention(const at::Tensor& qkv_NTD, int64_t heads) {
  const auto type = qkv_NTD.scalar_type();
  require(type == at::kFloat || type == at::kBFloat16 || type == at::kDouble,
          "attention: expected float32, bfloat16 or float64, got {}", at::toString(type));
  require(qkv_NTD.dim() == 3 && heads > 0 && qkv_NTD.size(2) % (3 * heads) == 0,
          "attention: expected [N, T, 3 * C] with C a multiple of {} heads, got {} dimensions, the "
          "last of {}",
          heads, qkv_NTD.dim(), qkv_NTD.size(-1));
}

}  // namespace

at::Tensor attend_with_library(const at::Tensor& q_NhQd, const at::Tensor& k_NhTd,
                               const at::Tensor& v_NhTd) {
  if (!on_cuda(q_NhQd)) return at::scaled_dot_product_attention(q_NhQd, k_NhTd, v_NhTd);
  // The backward passes of the fused kernels sum in a different order every time unless LibTorch is
  // set to refuse nondeterministic operators.
  const double scale = 1 / std::sqrt(static_cast<double>(q_NhQd.size(3)));
  const at::Tensor scores_NhQT = at::matmul(q_NhQd * scale, k_NhTd.transpose(-2, -1));
  return at::matmul(at::softmax(scores_NhQT, -1), v_NhTd);
}

at::Tensor attention_library(const at::Tensor& qkv_NTD, int64_t heads) {
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  // A single unbind: its backward concatenates the three gradients once.
  const std::vector<at::Tensor> split_NThd = qkv_NTD.reshape({n, t, 3, heads, c / heads}).unbind(2);
  const auto per_head = [&](size_t part) { return split_NThd[part].transpose(1, 2); };
  const at::Tensor out_NhTd = attend_with_library(per_head(0), per_head(1), per_head(2));
  return out_NhTd.transpose(1, 2).reshape({n, t, c});
}

at::Tensor attention_with(Isa isa, const at::Tensor& qkv_NTD, int64_t heads) {
  check_attention(qkv_NTD, heads);
  if (qkv_NTD.numel() == 0) return qkv_NTD.narrow(2, 0, qkv_NTD.size(2) / 3) + 0;
  return AttentionFunction::apply(qkv_NTD, heads, static_cast<int64_t>(isa));
}

at::Tensor attention(const at::Tensor& qkv_NTD, int64_t heads) {
  check_attention(qkv_NTD, heads);
  if (reference_ops()) return attention_reference(qkv_NTD, heads);
  if (!attention_fits(qkv_NTD, qkv_NTD.size(2) / (3 * heads))) {
    return attention_library(qkv_NTD, heads);
  }
  return attention_with(isa(), qkv_NTD, heads);
}

}  // namespace fcm::ops
