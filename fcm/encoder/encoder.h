// What every encoder offers, so that a model can hold one of either kind.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "fcm/encoder/features.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/observer.h"
#include "fcm/nn/parameters.h"

namespace fcm::encoder {

class Encoder {
 public:
  virtual ~Encoder() = default;

  // pixels [B, L, P, D] in plan order, of the compute type; only the kept slots are looked at. The
  // observer sees "patch_embed1", "blocks1.0", ... (ConvVit) or "patch_embed", "blocks.0", ...
  // (Vit): convolution stages and "norm" as [B, K, ...] or [B, K, C], transformer blocks (and the
  // ViT's norm) once per run of equal views as [B * views, tokens, C], row = picture * views +
  // view.
  virtual Features operator()(const at::Tensor& pixels_BLPD, const masks::ViewPlan& plan,
                              const nn::Observer& observer = {}) const = 0;
};

// What stands after the blocks, which tells the published networks apart.
enum class Ending {
  kPretraining,  // ConvViT: the two fuse convolutions, and norm; ViT: norm
  kNorm,         // norm alone: classifiers that read one token
  kNothing,      // classifiers that average tokens and bring a norm of their own
};

// Parameters that belong to no module. The published programs list them before all modules, those
// of the decoder among them, so the model adds them and hands them in.
struct Embeddings {
  at::Tensor class_token_11C;  // ViT, else undefined
  at::Tensor positions_1TC;    // ConvViT [1, L, C]; ViT [1, 1 + L, C], the class token's first
};

// Adds "cls_token" (ViT) and "pos_embed", with the published start values: normal of deviation .02,
// and sines and cosines. Pretraining keeps the table frozen, fine-tuning trains it.
Embeddings add_embeddings(const nn::Scope& scope, Kind kind, int64_t dim, masks::Grid grid,
                          bool trainable_positions);

std::unique_ptr<Encoder> make_encoder(Kind kind, const nn::Scope& scope,
                                      const EncoderOptions& options, int64_t channels,
                                      const Embeddings& embeddings, Ending ending);

}  // namespace fcm::encoder
