// linear(layer_norm(x)): the last norm of the decoder and its prediction.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/branches/op.h"

namespace fcm::ops {

// x: [..., C] float32, bfloat16 or float64; weights as in branches/op.h; result [..., O]. Saves x
// and the statistics of its rows; backward recomputes the norm's output. Not differentiable twice.
at::Tensor norm_linear(const at::Tensor& x, const NormWeights& norm, const ProductWeights& linear);
at::Tensor norm_linear_reference(const at::Tensor& x, const NormWeights& norm,
                                 const ProductWeights& linear);

}  // namespace fcm::ops
