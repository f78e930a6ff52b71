// What every decoder offers, and what is known of one before it is made.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "fcm/decoder/options.h"
#include "fcm/decoder/reconstruction.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/layers.h"

namespace fcm::decoder {

// What is predicted for a patch. `layout` holds the rows of the last Linear in another order than
// the published one (pixels as stored).
struct Output {
  std::string name;
  int64_t dim = 0;
  nn::Layout layout;
};

// Parameters that the published programs list before all modules, those of the encoder among them.
struct Embeddings {
  at::Tensor mask_token_11D;
  // Frozen table in raster order, [1, L, D], or [1, 1 + L, D] where there are class tokens.
  at::Tensor positions_1TD;
};

// Adds "mask_token" and "decoder_pos_embed", with the published start values; of a linear decoder
// nothing.
Embeddings add_embeddings(const nn::Scope& scope, const DecoderOptions& options, masks::Grid grid,
                          int64_t class_tokens);

// Of one picture that an encoder of width encoder_dim has seen. Of the plan, sizes, kept views and
// grid are looked at. Blocks count as whole, though the last makes hidden patches alone and the
// first takes them from a table (2 % of base).
nn::Cost cost(const DecoderOptions& options, int64_t encoder_dim, int64_t class_tokens,
              const std::vector<Output>& outputs, const masks::ViewPlan& plan);

class Decoder {
 public:
  virtual ~Decoder() = default;

  // latent in plan order: [B, K, C] of the kept patches, of all patches [B, L, C] for a linear
  // decoder; class_latents [B, G, C], one of each kept view, or undefined.
  virtual Reconstruction operator()(const at::Tensor& latent_BKC,
                                    const at::Tensor& class_latents_BGC,
                                    const masks::ViewPlan& plan,
                                    const nn::Observer& observer = {}) const = 0;
};

std::unique_ptr<Decoder> make_decoder(const nn::Scope& scope, const DecoderOptions& options,
                                      int64_t encoder_dim, const std::vector<Output>& outputs,
                                      const Embeddings& embeddings);

}  // namespace fcm::decoder
