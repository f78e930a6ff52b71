// Attention of the last block of an encoder's transformer, to be looked at: made anew from that
// block's queries and keys, as the kernels of ops/attention never have it as a whole.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// The name under which observers see the last block (encoder/encoder.h).
std::string name_of_last_block(const recipe::Recipe& recipe);

// The part of a block that decides where it looks (nn::Block).
struct QueriesAndKeys {
  at::Tensor norm_weight_C, norm_bias_C;
  double norm_epsilon = 0;
  at::Tensor qkv_weight_3CxC, qkv_bias_3C;  // queries, keys, values; within each, head by head
  int64_t heads = 1;
};

// How much of its attention each query gives each key, of what the block takes, x [N, T, C]:
// [N, heads, T, T], rows are queries and add up to 1. Plain tensor calls, in the type of x. Source:
// Attention of timm's vision_transformer.py, which MAE and ConvMAE use.
at::Tensor attention_weights(const at::Tensor& x_NTC, const QueriesAndKeys& block);

// The same of pictures, uint8 [B, H, W, C], as the mean over all heads of the last block, in
// float32 on the CPU: [B, T, T], of all patches in raster order, behind the class token if there is
// one. Throws Error(kUsage) where the encoder is neither a conv_vit nor a vit (a Swin attends
// inside windows, with biases by position), or its last stage has no block.
at::Tensor last_attention(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                          const at::Tensor& pictures_BHWC);

}  // namespace fcm::eval
