#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::encoder {

// What the encoder knows of each patch it saw, in slot order. `tokens` are results of the last
// block, `latent` what the encoder's norm makes of them (ConvViT in pretraining: of their sum with
// the fused convolution stages), undefined for an encoder without norm.
struct Features {
  at::Tensor tokens_BKC;
  at::Tensor latent_BKC;  // what the decoder takes
  // The class token of each of the G kept views; undefined for encoders that have none.
  at::Tensor class_tokens_BGC;
  at::Tensor class_latents_BGC;
};

}  // namespace fcm::encoder
