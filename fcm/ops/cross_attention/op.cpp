#include "fcm/ops/cross_attention/op.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "fcm/base/error.h"
#include "fcm/ops/attention/passes.h"
#include "fcm/ops/reference_ops.h"
#include "fcm/ops/with_isa.h"

namespace fcm::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class CrossAttentionFunction : public torch::autograd::Function<CrossAttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_NQC,
                            const at::Tensor& kv_NTD, int64_t heads, int64_t isa) {
    const at::Tensor q = q_NQC.contiguous(), kv = kv_NTD.contiguous();
    const Attended attended = cross_attention_forward(static_cast<Isa>(isa), q, kv, heads);
    context->save_for_backward({q, kv, attended.statistics_NhT2});
    context->saved_data["heads"] = heads;
    context->saved_data["isa"] = isa;
    return attended.out_NTC;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const CrossAttentionGradients result = cross_attention_backward(
        static_cast<Isa>(context->saved_data["isa"].toInt()), gradients[0].contiguous(), saved[0],
        saved[1], saved[2], context->saved_data["heads"].toInt());
    return {result.dq_NQC, result.dkv_NTD, at::Tensor(), at::Tensor()};
  }
};

void check_cross_attention(const at::Tensor& q_NQC, const at::Tensor& kv_NTD, int64_t heads) {
  const auto type = q_NQC.scalar_type();
  require((type == at::kFloat || type == at::kBFloat16 || type == at::kDouble) &&
              kv_NTD.scalar_type() == type,
          "cross_attention: expected float32, bfloat16 or float64 of one type, got {} and {}",
          at::toString(type), at::toString(kv_NTD.scalar_type()));
  require(
      q_NQC.dim() == 3 && kv_NTD.dim() == 3 && heads > 0 && q_NQC.size(2) % heads == 0 &&
          kv_NTD.size(0) == q_NQC.size(0) && kv_NTD.size(2) == 2 * q_NQC.size(2) &&
          (kv_NTD.size(1) > 0 || q_NQC.numel() == 0),
      "cross_attention: expected [N, Q, C] and [N, T, 2 * C] with C a multiple of {} heads and at "
      "least 1 key, got {} and {} dimensions, {} and {} sequences, last dimensions of {} and {}",
      heads, q_NQC.dim(), kv_NTD.dim(), q_NQC.size(0), kv_NTD.size(0), q_NQC.size(-1),
      kv_NTD.size(-1));
}

}  // namespace

at::Tensor cross_attention_library(const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                   int64_t heads) {
  const int64_t n = q_NQC.size(0), head_dim = q_NQC.size(2) / heads;
  const at::Tensor q_NhQd = q_NQC.reshape({n, q_NQC.size(1), heads, head_dim}).transpose(1, 2);
  const std::vector<at::Tensor> kv_NThd =
      kv_NTD.reshape({n, kv_NTD.size(1), 2, heads, head_dim}).unbind(2);
  const at::Tensor out_NhQd =
      attend_with_library(q_NhQd, kv_NThd[0].transpose(1, 2), kv_NThd[1].transpose(1, 2));
  return out_NhQd.transpose(1, 2).reshape(q_NQC.sizes());
}

at::Tensor cross_attention_with(Isa isa, const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                int64_t heads) {
  check_cross_attention(q_NQC, kv_NTD, heads);
  if (q_NQC.numel() == 0) return cross_attention_reference(q_NQC, kv_NTD, heads);
  return CrossAttentionFunction::apply(q_NQC, kv_NTD, heads, static_cast<int64_t>(isa));
}

at::Tensor cross_attention(const at::Tensor& q_NQC, const at::Tensor& kv_NTD, int64_t heads) {
  check_cross_attention(q_NQC, kv_NTD, heads);
  if (reference_ops()) return cross_attention_reference(q_NQC, kv_NTD, heads);
  const int64_t head_dim = q_NQC.size(2) / heads;
  if (!attention_fits(q_NQC, head_dim) || !attention_fits(kv_NTD, head_dim)) {
    return cross_attention_library(q_NQC, kv_NTD, heads);
  }
  return cross_attention_with(isa(), q_NQC, kv_NTD, heads);
}

}  // namespace fcm::ops
