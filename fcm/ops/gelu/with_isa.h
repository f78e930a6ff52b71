// gelu with a chosen instruction set, for tests and benchmarks; op.h takes the best.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

at::Tensor gelu_with(Isa isa, const at::Tensor& x);

}  // namespace fcm::ops
