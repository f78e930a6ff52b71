// gelu(layer_norm(x * weight^T + bias)): a patch embedding of the convolution stages.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/branches/op.h"

namespace fcm::ops {

// x: gathered windows [..., I], float32, bfloat16 or float64; weights as in branches/op.h; result
// [..., O]. Saves for backward: x, the statistics of the norm and, unless it is cheap to recompute,
// the product. Not differentiable twice. Source: PatchEmbed of models_fastconvmae.py.
at::Tensor patch_embed(const at::Tensor& x, const ProductWeights& proj, const NormWeights& norm);
at::Tensor patch_embed_reference(const at::Tensor& x, const ProductWeights& proj,
                                 const NormWeights& norm);

}  // namespace fcm::ops
