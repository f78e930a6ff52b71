// The head of fine-tuning: one pooled vector per image, then a linear layer. Source: ConvMAE's
// models_convvit.py, MAE's models_vit.py, SimMIM's models/swin_transformer.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "fcm/encoder/features.h"
#include "fcm/nn/layers.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"

namespace fcm::heads {

enum class Pool {
  kMeanOfTokens,   // upstream's global_pool: mean of all patch tokens, then fc_norm
  kMeanOfLatents,  // Swin: the mean of the tokens after the encoder's norm
  kToken,          // one latent: the class token of a ViT, else the top left patch
};

class LinearHead {
 public:
  // Adds "head" to the scope, followed by "fc_norm" for kMeanOfTokens, in upstream's order. The
  // linear layer is initialised from a normal distribution of std 2e-5, or 0.02 for kMeanOfLatents.
  LinearHead(const nn::Scope& scope, int64_t dim, int64_t classes, Pool pool,
             double norm_epsilon = nn::kNormEpsilon);

  // The encoder outputs that this pooling needs.
  static encoder::Outputs wanted(Pool pool) { return {.norm = pool != Pool::kMeanOfTokens}; }

  // One vector per image, [B, C], of dtype `wide`. The observer sees "fc_norm" with kMeanOfTokens.
  at::Tensor pool(const encoder::Features& seen, at::ScalarType wide,
                  const nn::Observer& observer = {}) const;
  // The result of pool() [B, C] -> logits [B, classes].
  at::Tensor operator()(const at::Tensor& features_BC) const { return head_(features_BC); }

 private:
  Pool pool_;
  nn::Linear head_;
  std::optional<nn::LayerNorm> fc_norm_;
};

}  // namespace fcm::heads
