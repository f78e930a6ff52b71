// The residual branches of the blocks, each with its norm and its addition: x + scale * f(norm(x)).
//
// Each is one autograd function that keeps what cannot be made again cheaply: its input, which the
// neighbouring branch holds as well, the statistics of the norm and the result of the widest
// product before a nonlinearity. The output of the norm, the activation, the convolved cells and
// the attended tokens are made again in the backward pass. Not differentiable twice.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/decomposed_attention/op.h"
#include "fcm/ops/patches.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

struct NormWeights {
  at::Tensor weight_C, bias_C;
  double epsilon = 0;
};

struct ProductWeights {
  at::Tensor weight_OI, bias_O;
  at::Tensor rounded_OI = {};  // as linear (linear/op.h) takes it
};

struct DepthwiseWeights {
  at::Tensor weight_TC, bias_C;
};

// Everywhere: x is float32, bfloat16 or float64, any strides; weights of any floating type (fp32
// master weights are rounded to bfloat16 on the way when x is); gradients come back in the type of
// the weights. scale_B multiplies the branch of each x[b], undefined: 1. Results are like x.

// f = fc2(gelu(fc1)). x: [B, ..., C].
at::Tensor mlp_branch(const at::Tensor& x, const NormWeights& norm, const ProductWeights& fc1,
                      const ProductWeights& fc2, const at::Tensor& scale_B = {});
at::Tensor mlp_branch_reference(const at::Tensor& x, const NormWeights& norm,
                                const ProductWeights& fc1, const ProductWeights& fc2,
                                const at::Tensor& scale_B = {});

// f = proj(attention(qkv)), by `heads` heads. x: [B, T, C]. first: tokens before it are attended to
// and left out of the result, which is [B, T - first, C]. The k third of the bias of qkv cannot
// change a result, and its gradient is exactly 0 (that of the references: 0 but for rounding).
at::Tensor attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                            const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                            const at::Tensor& scale_B = {}, int64_t first = 0);
at::Tensor attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                      const ProductWeights& qkv, const ProductWeights& proj,
                                      int64_t heads, const at::Tensor& scale_B = {},
                                      int64_t first = 0);

// The same for sequences of which some tokens are equal: token (b, t) is row places[b, t] (int64)
// of rows_RC, and every row is normed and multiplied with qkv once, whatever the number of its
// places. Result [B, T - first, C]; the gradient of a row is the sum over its places.
at::Tensor attention_branch_of_rows(const at::Tensor& rows_RC, const at::Tensor& places_BT,
                                    const NormWeights& norm, const ProductWeights& qkv,
                                    const ProductWeights& proj, int64_t heads, int64_t first = 0);
at::Tensor attention_branch_of_rows_reference(const at::Tensor& rows_RC,
                                              const at::Tensor& places_BT, const NormWeights& norm,
                                              const ProductWeights& qkv, const ProductWeights& proj,
                                              int64_t heads, int64_t first = 0);

// f = proj(window_attention(qkv)): tokens attend inside their sets, with the biases of table_RH.
// x: [B, T, C]. Of the bias of qkv as above. Sets with filling are of T + filling tokens, those
// behind T zeros behind the norm: such keys are the bias of qkv.
at::Tensor window_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                   const ProductWeights& qkv, const at::Tensor& table_RH,
                                   const ProductWeights& proj, const WindowSets& sets,
                                   const at::Tensor& scale_B = {});
at::Tensor window_attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                             const ProductWeights& qkv, const at::Tensor& table_RH,
                                             const ProductWeights& proj, const WindowSets& sets,
                                             const at::Tensor& scale_B = {});

// Windows of a map whose tokens attend to each other alone, at the places of which there is no
// token to a zero behind the norm (masks/window_plan.h FilledWindows): such keys are the bias of
// qkv.
struct MapWindows {
  int64_t side = 0;  // 0: no windows, all tokens of the map attend to each other
  at::Tensor patches_WT, places_T;
};

// f = proj(decomposed_attention(qkv)) over a map of rows * cols tokens in raster order, x: [B, T,
// C]. Of the bias of qkv as above. Made of the operators one after another.
at::Tensor decomposed_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                       const ProductWeights& qkv, const DecomposedTables& tables,
                                       const ProductWeights& proj, int64_t heads, int64_t rows,
                                       int64_t cols, const MapWindows& windows = {},
                                       const at::Tensor& scale_B = {});

// f = conv2(patch_depthwise_conv(conv1)), the outer two 1x1. x: [B, L, P, C]; neighbours and cells
// as in patch_depthwise_conv/op.h.
at::Tensor conv_branch(const at::Tensor& x_BLPC, const NormWeights& norm,
                       const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                       const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                       const Cells& cells, const at::Tensor& scale_B = {});
at::Tensor conv_branch_reference(const at::Tensor& x_BLPC, const NormWeights& norm,
                                 const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                                 const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                                 const Cells& cells, const at::Tensor& scale_B = {});

}  // namespace fcm::ops
