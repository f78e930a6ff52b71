#include <ATen/ATen.h>

#include <cmath>
#include <vector>

#include "fcm/ops/decomposed_attention/op.h"

namespace fcm::ops {
namespace {

// [size, size, head_dim]: the table entry of every pair of positions.
at::Tensor entries_of_pairs(const at::Tensor& table_Rd, int64_t size) {
  const at::Tensor places = at::arange(size, table_Rd.options().dtype(at::kLong));
  const at::Tensor index_SS = places.unsqueeze(1) - places.unsqueeze(0) + (size - 1);
  return table_Rd.index_select(0, index_SS.reshape({-1})).view({size, size, -1});
}

}  // namespace

at::Tensor decomposed_attention_reference(const at::Tensor& qkv_NTD, int64_t heads,
                                          const DecomposedTables& tables, int64_t rows,
                                          int64_t cols) {
  const auto wide = qkv_NTD.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const int64_t n = qkv_NTD.size(0), t = qkv_NTD.size(1), c = qkv_NTD.size(2) / 3;
  const std::vector<at::Tensor> qkv_NhTd =
      qkv_NTD.to(wide).reshape({n, t, 3, heads, c / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
  const at::Tensor q_NhRCd = qkv_NhTd[0].unflatten(2, {rows, cols});
  const at::Tensor by_row =
      at::einsum("nhrcd,rsd->nhrcs", {q_NhRCd, entries_of_pairs(tables.rows_Rd.to(wide), rows)});
  const at::Tensor by_col =
      at::einsum("nhrcd,csd->nhrcs", {q_NhRCd, entries_of_pairs(tables.cols_Rd.to(wide), cols)});
  const at::Tensor bias_NhTT =
      (by_row.unsqueeze(-1) + by_col.unsqueeze(-2)).reshape({n, heads, t, t});
  const double scale = 1 / std::sqrt(static_cast<double>(c / heads));
  const at::Tensor scores_NhTT =
      at::matmul(qkv_NhTd[0] * scale, qkv_NhTd[1].transpose(-1, -2)) + bias_NhTT;
  return at::matmul(scores_NhTT.softmax(-1), qkv_NhTd[2])
      .transpose(1, 2)
      .reshape({n, t, c})
      .to(qkv_NTD.scalar_type());
}

}  // namespace fcm::ops
