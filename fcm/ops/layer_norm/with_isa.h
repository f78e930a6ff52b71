// layer_norm with a chosen instruction set, for tests and benchmarks; op.h takes the best.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

at::Tensor layer_norm_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                           const at::Tensor& bias_C, double epsilon);

}  // namespace fcm::ops
