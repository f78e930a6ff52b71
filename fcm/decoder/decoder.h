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

// What is known of the encoder that a decoder stands on.
struct Source {
  int64_t dim = 0;           // of its vectors
  int64_t blocks = 0;        // of its last stage
  int64_t class_tokens = 0;  // of each view
};

// What the encoder made of a batch, in plan order.
struct Seen {
  // [B, K, C] of the kept patches, of all patches [B, L, C] for a linear decoder.
  at::Tensor latent_BKC;
  at::Tensor class_latents_BGC;  // [B, G, C], one of each kept view, or undefined
  // encoder::Features::block_inputs_NTC; for a decoder that reads blocks.
  std::vector<std::vector<at::Tensor>> block_inputs_NTC;
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

// Of one picture. Of the plan, sizes, kept views and grid are looked at. Blocks count as whole,
// though a transformer's last makes hidden patches alone and its first takes them from a table (2 %
// of base).
nn::Cost cost(const DecoderOptions& options, const Source& source,
              const std::vector<Output>& outputs, const masks::ViewPlan& plan);

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Guesses the patches that the plan's hidden_slots_GH name.
  virtual Reconstruction operator()(const Seen& seen, const masks::ViewPlan& plan,
                                    const nn::Observer& observer = {}) const = 0;
};

std::unique_ptr<Decoder> make_decoder(const nn::Scope& scope, const DecoderOptions& options,
                                      const Source& source, const std::vector<Output>& outputs,
                                      const Embeddings& embeddings);

}  // namespace fcm::decoder
