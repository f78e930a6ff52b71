#include "fcm/ops/attention/op.h"

#include <ATen/ATen.h>

#include "fcm/base/error.h"

namespace fcm::ops {

at::Tensor attention(const at::Tensor& qkv_NTD, int64_t heads) {
  require(qkv_NTD.dim() == 3 && heads > 0 && qkv_NTD.size(2) % (3 * heads) == 0,
          "attention wants [N, T, 3 * C] with C a multiple of {} heads, got last dimension {}",
          heads, qkv_NTD.size(-1));
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  const at::Tensor split = qkv_NTD.view({n, t, 3, heads, c / heads}).permute({2, 0, 3, 1, 4});
  const at::Tensor out_NHTd =
      at::scaled_dot_product_attention(split.select(0, 0), split.select(0, 1), split.select(0, 2));
  return out_NHTd.transpose(1, 2).reshape({n, t, c});
}

}  // namespace fcm::ops
