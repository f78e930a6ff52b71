#include <ATen/ATen.h>

#include <cmath>

#include "fcm/ops/cross_attention/op.h"

namespace fcm::ops {

at::Tensor cross_attention_reference(const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                     int64_t heads) {
  const auto wide = q_NQC.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t n = q_NQC.size(0), c = q_NQC.size(2), head_dim = c / heads;
  const at::Tensor q_NhQd =
      q_NQC.to(wide).reshape({n, q_NQC.size(1), heads, head_dim}).transpose(1, 2);
  const at::Tensor kv =
      kv_NTD.to(wide).reshape({n, kv_NTD.size(1), 2, heads, head_dim}).permute({2, 0, 3, 1, 4});
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const at::Tensor scores_NhQT = at::matmul(q_NhQd, kv.select(0, 0).transpose(-2, -1)) * scale;
  const at::Tensor out_NhQd = at::matmul(at::softmax(scores_NhQT, -1), kv.select(0, 1));
  return out_NhQd.transpose(1, 2).reshape(q_NQC.sizes()).to(q_NQC.scalar_type());
}

}  // namespace fcm::ops
