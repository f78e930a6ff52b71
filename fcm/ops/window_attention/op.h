// Softmax attention inside sets of tokens, with biases by relative position: Swin's windows,
// shifted or not, the visible parts of masked windows, and whole maps.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

// qkv_BTD: [B, T, 3 * C] as the fused qkv Linear writes it: q, k, v, each [heads, C / heads].
// table_RH: [sets.table_rows, heads], any floating type; for windows, upstream's
// relative_position_bias_table. A token attends to the tokens of its own set, by one plan per
// image or one for all. Returns [B, T, C]. Scale (C / heads)^-0.5; softmax in fp32 (float64 for
// float64). float32, bfloat16 or float64. Source: models/swin_transformer.py WindowAttention.
at::Tensor window_attention(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                            const WindowSets& sets);
// Computes all pairs of tokens, with a score of -inf between different sets.
at::Tensor window_attention_reference(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                      const WindowSets& sets);
// Pads sets to the largest one and runs them as a batch with LibTorch's operators.
at::Tensor window_attention_library(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                    const WindowSets& sets);

}  // namespace fcm::ops
