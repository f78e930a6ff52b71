#include <ATen/ATen.h>

#include <cmath>

#include "fcm/ops/attention/op.h"

namespace fcm::ops {

at::Tensor attention_reference(const at::Tensor& qkv_NTD, int64_t heads) {
  const auto wide = qkv_NTD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  const int64_t head_dim = c / heads;
  const at::Tensor split =
      qkv_NTD.to(wide).reshape({n, t, 3, heads, head_dim}).permute({2, 0, 3, 1, 4});
  const double scale = 1 / std::sqrt(static_cast<double>(head_dim));
  const at::Tensor scores_NHTT =
      at::matmul(split.select(0, 0), split.select(0, 1).transpose(-2, -1)) * scale;
  const at::Tensor out_NHTd = at::matmul(at::softmax(scores_NHTT, -1), split.select(0, 2));
  return out_NHTd.transpose(1, 2).reshape({n, t, c}).to(qkv_NTD.scalar_type());
}

}  // namespace fcm::ops
