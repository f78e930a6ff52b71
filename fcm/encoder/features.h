#pragma once

#include <ATen/core/Tensor.h>

namespace fcm::encoder {

// What the encoder knows of each patch it saw, in slot order.
struct Features {
  at::Tensor tokens_BKC;  // result of the last block: what classifiers take
  at::Tensor latent_BKC;  // norm(tokens + the fused convolution stages): what the decoder takes
};

}  // namespace fcm::encoder
