// Operators with a chosen instruction set or library, for tests and benchmarks. The functions in
// op.h choose the fastest.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "fcm/ops/adamw/op.h"
#include "fcm/ops/isa.h"
#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

void adamw_with(Isa isa, const AdamWBuffers& buffers, std::span<const AdamWSegment> segments,
                const AdamWFactors& factors);

at::Tensor attention_with(Isa isa, const at::Tensor& qkv_NTD, int64_t heads);
// LibTorch's attention of queries to keys and values, each [N, heads, tokens, d]. Every run gives
// the same bits, on a GPU too.
at::Tensor attend_with_library(const at::Tensor& q_NhQd, const at::Tensor& k_NhTd,
                               const at::Tensor& v_NhTd);
// attend_with_library on packed qkv. attention/op.h uses it for shapes that our kernels do not
// support.
at::Tensor attention_library(const at::Tensor& qkv_NTD, int64_t heads);

at::Tensor cross_attention_with(Isa isa, const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                int64_t heads);
// attend_with_library on q and packed kv.
at::Tensor cross_attention_library(const at::Tensor& q_NQC, const at::Tensor& kv_NTD,
                                   int64_t heads);

at::Tensor conv3x3_with(Isa isa, const at::Tensor& x_BHWI, const at::Tensor& weight_O33I);

at::Tensor gelu_with(Isa isa, const at::Tensor& x);

at::Tensor layer_norm_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_C,
                           const at::Tensor& bias_C, double epsilon);

// Our own kernels. x: float32 or float64, with AMX also bfloat16.
at::Tensor linear_with(Isa isa, const at::Tensor& x, const at::Tensor& weight_OI,
                       const at::Tensor& bias_O);
// The matrix products of LibTorch, or on a GPU of cuBLASLt.
at::Tensor linear_library(const at::Tensor& x, const at::Tensor& weight_OI,
                          const at::Tensor& bias_O);

at::Tensor nms_with(Isa isa, const at::Tensor& boxes_N4, const at::Tensor& scores_N,
                    const at::Tensor& groups_N, double threshold);

at::Tensor roi_align_with(Isa isa, const std::vector<at::Tensor>& maps_BHWC,
                          const at::Tensor& boxes_R4, const at::Tensor& image_R,
                          const at::Tensor& level_R, const std::vector<double>& scales,
                          int64_t bins);

at::Tensor window_attention_with(Isa isa, const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                 const WindowSets& sets);

}  // namespace fcm::ops
