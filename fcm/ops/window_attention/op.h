// Softmax attention inside sets of tokens, with biases by relative position: Swin's windows,
// shifted or not, and what a mask leaves of them.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

// qkv_BTD: [B, T, 3 * C] as the fused Linear leaves it: q, k, v, each [heads, C / heads]. table_RH:
// the published relative_position_bias_table [(2 * window - 1)^2, heads], any floating type. A
// token attends to those of its own set; sets of one plan hold for all pictures, those of B plans
// each for its own. Returns [B, T, C]. Scale (C / heads)^-0.5; softmax in fp32. float32, bfloat16
// or float64. Source: models/swin_transformer.py WindowAttention.
at::Tensor window_attention(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                            const WindowSets& sets);
// All tokens against all, with -inf where they are in different sets.
at::Tensor window_attention_reference(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                      const WindowSets& sets);
// Sets padded to the largest one, which LibTorch's operators take as a batch.
at::Tensor window_attention_library(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                    const WindowSets& sets);

}  // namespace fcm::ops
