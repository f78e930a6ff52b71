// The residual branches of the blocks, each with its norm and its residual addition: x + scale *
// f(norm(x)).
//
// Each is one autograd function, except where the operators are called one after another:
// decomposed_attention_branch, windows with padding, and shapes that our attention kernels do not
// support. The function saves what is expensive to recompute: its input (which the neighbouring
// branch saves too), the statistics of norm and softmax, and the output of the first product.
// Backward recomputes the output of the norm, the activation, the convolved cells and the attended
// tokens. Not differentiable twice.
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
  at::Tensor rounded_OI = {};  // bfloat16 copy for linear (linear/op.h)
};

struct DepthwiseWeights {
  at::Tensor weight_TC, bias_C;
};

// For all branches: x is float32, bfloat16 or float64, any strides; weights are of any floating
// type (fp32 master weights are rounded to bfloat16 if x is bfloat16); gradients have the type of
// the weights. scale_B multiplies the branch of each x[b]; undefined: 1. Results have x's type.

// f = fc2(gelu(fc1)). x: [B, ..., C].
at::Tensor mlp_branch(const at::Tensor& x, const NormWeights& norm, const ProductWeights& fc1,
                      const ProductWeights& fc2, const at::Tensor& scale_B = {});
at::Tensor mlp_branch_reference(const at::Tensor& x, const NormWeights& norm,
                                const ProductWeights& fc1, const ProductWeights& fc2,
                                const at::Tensor& scale_B = {});

// f = proj(attention(qkv)), with `heads` heads. x: [B, T, C]. Tokens before `first` are keys and
// values only; the result is [B, T - first, C]. The k third of the qkv bias cannot change the
// result, so its gradient is set to exactly 0 (in the reference it is 0 up to rounding).
at::Tensor attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                            const ProductWeights& qkv, const ProductWeights& proj, int64_t heads,
                            const at::Tensor& scale_B = {}, int64_t first = 0);
at::Tensor attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                      const ProductWeights& qkv, const ProductWeights& proj,
                                      int64_t heads, const at::Tensor& scale_B = {},
                                      int64_t first = 0);

// attention_branch for sequences in which some tokens are equal: token (b, t) is row indices[b, t]
// (int64) of rows_RC. Every row is normalised and projected once, however many tokens use it. The
// result is [B, T - first, C]; the gradient of a row is the sum over its tokens.
at::Tensor attention_branch_of_rows(const at::Tensor& rows_RC, const at::Tensor& indices_BT,
                                    const NormWeights& norm, const ProductWeights& qkv,
                                    const ProductWeights& proj, int64_t heads, int64_t first = 0);
at::Tensor attention_branch_of_rows_reference(const at::Tensor& rows_RC,
                                              const at::Tensor& indices_BT, const NormWeights& norm,
                                              const ProductWeights& qkv, const ProductWeights& proj,
                                              int64_t heads, int64_t first = 0);

// f = proj(window_attention(qkv)): tokens attend inside their sets, with the biases of table_RH. x:
// [B, T, C]. The k third of the qkv bias has gradient 0, as in attention_branch. Sets with padding
// have T + sets.padding tokens. Padding tokens are zeros after the norm, so their q, k, v are the
// qkv bias.
at::Tensor window_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                   const ProductWeights& qkv, const at::Tensor& table_RH,
                                   const ProductWeights& proj, const WindowSets& sets,
                                   const at::Tensor& scale_B = {});
at::Tensor window_attention_branch_reference(const at::Tensor& x_BTC, const NormWeights& norm,
                                             const ProductWeights& qkv, const at::Tensor& table_RH,
                                             const ProductWeights& proj, const WindowSets& sets,
                                             const at::Tensor& scale_B = {});

// Windows of a map (masks/window_plan.h, PaddedWindows). Tokens attend within their window. A
// window position without a token is zero after the norm, so its key and value are the qkv bias.
struct MapWindows {
  int64_t side = 0;  // 0: no windows, all tokens of the map attend to each other
  at::Tensor patches_WT, indices_T;
};

// f = proj(decomposed_attention(qkv)) over a map of rows * cols tokens in raster order, x: [B, T,
// C]. The k third of the qkv bias has gradient 0, as in attention_branch. Composed of separate
// operators.
at::Tensor decomposed_attention_branch(const at::Tensor& x_BTC, const NormWeights& norm,
                                       const ProductWeights& qkv, const DecomposedTables& tables,
                                       const ProductWeights& proj, int64_t heads, int64_t rows,
                                       int64_t cols, const MapWindows& windows = {},
                                       const at::Tensor& scale_B = {});

// f = conv2(patch_depthwise_conv(conv1)), conv1 and conv2 1x1. x: [B, L, P, C]; neighbours and
// cells as in patch_depthwise_conv/op.h.
at::Tensor conv_branch(const at::Tensor& x_BLPC, const NormWeights& norm,
                       const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                       const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                       const Cells& cells, const at::Tensor& scale_B = {});
at::Tensor conv_branch_reference(const at::Tensor& x_BLPC, const NormWeights& norm,
                                 const ProductWeights& conv1, const DepthwiseWeights& depthwise,
                                 const ProductWeights& conv2, const at::Tensor& neighbours_BL9,
                                 const Cells& cells, const at::Tensor& scale_B = {});

}  // namespace fcm::ops
