#include <ATen/ATen.h>

#include "fcm/base/error.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"

namespace fcm::ops {
namespace {

// Gathers a map's tokens [B, T, D] by window, with padding_D at positions without a token:
// [B * windows, side^2, D].
at::Tensor in_windows(const at::Tensor& x_BTD, const at::Tensor& padding_D,
                      const MapWindows& windows) {
  const int64_t batch = x_BTD.size(0), tokens = x_BTD.size(1);
  const at::Tensor rows_RD = at::cat({x_BTD.flatten(0, 1), padding_D.unsqueeze(0)});
  const at::Tensor first_B11 =
      at::arange(batch, windows.patches_WT.options()).view({batch, 1, 1}) * tokens;
  const at::Tensor filled_WT = windows.patches_WT == tokens;
  const at::Tensor indices_BWT =
      (windows.patches_WT.unsqueeze(0) + first_B11).masked_fill(filled_WT, batch * tokens);
  return gather_rows(rows_RD, indices_BWT.flatten(0, 1));
}

// The inverse of in_windows: [B * windows, side^2, C] -> [B, T, C].
at::Tensor out_of_windows(const at::Tensor& x_NWC, int64_t batch, const MapWindows& windows) {
  const at::Tensor first_B1 =
      at::arange(batch, windows.indices_T.options()).view({batch, 1}) * windows.patches_WT.numel();
  return gather_rows(x_NWC.flatten(0, 1), windows.indices_T.unsqueeze(0) + first_B1);
}

}  // namespace

at::Tensor decomposed_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                       const ProductWeights& qkv, const DecomposedTables& tables,
                                       const ProductWeights& proj, int64_t heads, int64_t rows,
                                       int64_t cols, const MapWindows& windows,
                                       const at::Tensor& scale_B) {
  require(
      x_BTC.dim() == 3 && x_BTC.size(1) == rows * cols &&
          qkv.weight_OI.size(0) == 3 * x_BTC.size(2),
      "decomposed_attention_branch: got x of {} dimensions, the second of {}, expected a map of "
      "{} x {} tokens",
      x_BTC.dim(), x_BTC.size(1), rows, cols);
  const at::Tensor bias_D = branches::without_key_gradient(qkv.bias_O);
  const at::Tensor qkv_BTD = linear(layer_norm(x_BTC, norm.weight_C, norm.bias_C, norm.epsilon),
                                    qkv.weight_OI, bias_D, qkv.rounded_OI);
  at::Tensor attended_BTC;
  if (windows.side == 0) {
    attended_BTC = decomposed_attention(qkv_BTD, heads, tables, rows, cols);
  } else {
    attended_BTC = out_of_windows(
        decomposed_attention(in_windows(qkv_BTD, bias_D.to(qkv_BTD.scalar_type()), windows), heads,
                             tables, windows.side, windows.side),
        x_BTC.size(0), windows);
  }
  const at::Tensor branch_BTC = linear(attended_BTC, proj.weight_OI, proj.bias_O, proj.rounded_OI);
  if (!scale_B.defined()) return x_BTC + branch_BTC;
  return x_BTC + branch_BTC * scale_B.to(x_BTC.options()).view({-1, 1, 1});
}

}  // namespace fcm::ops
