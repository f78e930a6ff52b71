// Softmax attention inside sets of tokens, with biases by relative position: Swin's windows,
// shifted or not, and the visible parts of masked windows.
#pragma once

#include <ATen/core/Tensor.h>

#include "fcm/ops/window_attention/sets.h"

namespace fcm::ops {

// qkv_BTD: [B, T, 3 * C] as the fused qkv Linear writes it: q, k, v, each [heads, C / heads].
// table_RH: upstream's relative_position_bias_table [(2 * window - 1)^2, heads], any floating type.
// A token attends to the tokens of its own set. `sets` has one plan for all images or one plan per
// image. Returns [B, T, C]. Scale (C / heads)^-0.5; softmax in fp32 (float64 for float64). float32,
// bfloat16 or float64. Source: models/swin_transformer.py WindowAttention.
at::Tensor window_attention(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                            const WindowSets& sets);
// Computes all pairs of tokens, with a score of -inf between different sets.
at::Tensor window_attention_reference(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                      const WindowSets& sets);
// Pads sets to the largest one and runs them as a batch with LibTorch's operators.
at::Tensor window_attention_library(const at::Tensor& qkv_BTD, const at::Tensor& table_RH,
                                    const WindowSets& sets);

}  // namespace fcm::ops
