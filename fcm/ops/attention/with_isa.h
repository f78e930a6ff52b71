// attention with a chosen instruction set, for tests and benchmarks; op.h takes the best.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/isa.h"

namespace fcm::ops {

at::Tensor attention_with(Isa isa, const at::Tensor& qkv_NTD, int64_t heads);

// The library's attention, which op.h takes for long sequences.
at::Tensor attention_library(const at::Tensor& qkv_NTD, int64_t heads);

}  // namespace fcm::ops
