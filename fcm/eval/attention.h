// Attention weights of an encoder's last transformer block, for display. They are recomputed from
// the block's queries and keys, because the kernels of ops/attention never materialise them.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "fcm/models/masked_autoencoder.h"
#include "fcm/recipe/recipe.h"

namespace fcm::eval {

// The observer name of the last block (encoder/encoder.h).
std::string name_of_last_block(const recipe::Recipe& recipe);

// The parameters of a block that determine its attention weights (nn::Block).
struct QueriesAndKeys {
  at::Tensor norm_weight_C, norm_bias_C;
  double norm_epsilon = 0;
  at::Tensor qkv_weight_3CxC, qkv_bias_3C;  // queries, keys, values; head by head within each
  int64_t heads = 1;
};

// Attention weights of a block with input x [N, T, C]: [N, heads, T, T]; rows are queries and sum
// to 1. Plain tensor calls, in the dtype of x. Source: Attention of timm's vision_transformer.py,
// which MAE and ConvMAE use.
at::Tensor attention_weights(const at::Tensor& x_NTC, const QueriesAndKeys& block);

// The attention weights of the last block for images, uint8 [B, H, W, C], averaged over heads:
// float32 [B, T, T] on the CPU. The class token comes first if there is one, then all patches in
// raster order. Throws Error(kUsage) unless the encoder is a conv_vit or a vit with at least one
// block in its last stage. (A Swin attends inside windows and adds position biases.)
at::Tensor last_attention(const models::MaskedAutoencoder& model, const recipe::Recipe& recipe,
                          const at::Tensor& images_BHWC);

}  // namespace fcm::eval
