// Forward and backward of layer_norm without autograd, for composite operators.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

struct Normalised {
  at::Tensor y;              // like x
  at::Tensor statistics_2M;  // mean and 1 / std of each row; float32, or float64 for float64 x
};

// x: contiguous, at least one element; as layer_norm (op.h) otherwise.
Normalised layer_norm_forward(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                              const at::Tensor& bias_C, double epsilon);

struct LayerNormGradients {
  at::Tensor dx;                  // like x
  at::Tensor dweight_C, dbias_C;  // type of the statistics
};

// dy and x are contiguous. plus: undefined, or a contiguous tensor like x that is added to dx, such
// as the gradient of a residual connection.
LayerNormGradients layer_norm_backward(Isa isa, const at::Tensor& dy, const at::Tensor& x,
                                       const at::Tensor& weight_C, const at::Tensor& statistics_2M,
                                       const at::Tensor& plus = {});

}  // namespace fcm::ops
