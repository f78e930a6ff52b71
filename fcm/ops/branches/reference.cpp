// Compositions of the operators' references.
#include <ATen/ATen.h>

#include "fcm/ops/attention/op.h"
#include "fcm/ops/branches/op.h"
#include "fcm/ops/branches/shared.h"
#include "fcm/ops/gather_rows/op.h"
#include "fcm/ops/gelu/op.h"
#include "fcm/ops/layer_norm/op.h"
#include "fcm/ops/linear/op.h"
#include "fcm/ops/patch_depthwise_conv/op.h"
#include "fcm/ops/window_attention/op.h"

namespace fcm::ops {
namespace {

at::Tensor normalise(const at::Tensor& x, const NormWeights& norm) {
  return layer_norm_reference(x, norm.weight_C, norm.bias_C, norm.epsilon);
}

at::Tensor multiply(const at::Tensor& x, const ProductWeights& weights) {
  return linear_reference(x, weights.weight_OI, weights.bias_O);
}

at::Tensor add(const at::Tensor& x, const at::Tensor& branch, const at::Tensor& scale_B) {
  if (!scale_B.defined()) return x + branch;
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return x + branch * scale_B.to(x.scalar_type()).view(shape);
}

}  // namespace

at::Tensor mlp_branch_reference(const at::Tensor& x, const NormWeights& norm,
                                const ProductWeights& fc1, const ProductWeights& fc2,
                                const at::Tensor& scale_B) {
  return add(x, multiply(gelu_reference(multiply(normalise(x, norm), fc1)), fc2), scale_B);
}

at::Tensor attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                      const ProductWeights& qkv, const ProductWeights& proj,
                                      int64_t heads, const at::Tensor& scale_B, int64_t first) {
  const at::Tensor attended_BTC = attention_reference(multiply(normalise(x_BTC, norm), qkv), heads);
  return add(x_BTC, multiply(attended_BTC, proj), scale_B).slice(1, first);
}

at::Tensor attention_branch_of_rows_reference(const at::Tensor& rows_RC,
                                              const at::Tensor& indices_BT, const NormWeights& norm,
                                              const ProductWeights& qkv, const ProductWeights& proj,
                                              int64_t heads, int64_t first) {
  return attention_branch_reference(gather_rows_reference(rows_RC, indices_BT), norm, qkv, proj,
                                    heads, {}, first);
}

at::Tensor window_attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                             const ProductWeights& qkv, const at::Tensor& table_RH,
                                             const ProductWeights& proj, const WindowSets& sets,
                                             const at::Tensor& scale_B) {
  const at::Tensor qkv_BTD =
      branches::with_padding(multiply(normalise(x_BTC, norm), qkv), qkv.bias_O, sets.padding);
  const at::Tensor attended_BTC =
      window_attention_reference(qkv_BTD, table_RH, sets).narrow(1, 0, x_BTC.size(1));
  return add(x_BTC, multiply(attended_BTC, proj), scale_B);
}

at::Tensor conv_branch_reference(const at::Tensor& x_BLPC, const NormWeights& norm,
                                 const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                                 const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                                 const Cells& cells, const at::Tensor& scale_B) {
  const at::Tensor spread_BLPC =
      patch_depthwise_conv_reference(multiply(normalise(x_BLPC, norm), conv1), depthwise.weight_TC,
                                     depthwise.bias_C, neighbours_BL9, cells);
  return add(x_BLPC, multiply(spread_BLPC, conv2), scale_B);
}

}  // namespace fcm::ops
