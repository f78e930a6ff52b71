// The interface of every decoder, the parameters that it has outside of modules, and its cost.
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

// One output of a decoder: `dim` values per patch. `layout`: the row order of the last Linear if it
// differs from upstream's (for pixels, which are predicted in the order in which they are stored).
struct Output {
  std::string name;
  int64_t dim = 0;
  nn::Layout layout;
};

// The encoder whose output a decoder reads.
struct Source {
  int64_t dim = 0;           // width of its latents
  int64_t blocks = 0;        // in its last stage
  int64_t class_tokens = 0;  // per view
};

// The encoder's output for a batch, in plan order.
struct DecoderInput {
  // [B, K, C] of the kept patches, or [B, L, C] of all patches for a linear decoder.
  at::Tensor latent_BKC;
  at::Tensor class_latents_BGC;  // [B, G, C], one per kept view, or undefined
  // encoder::Features::block_inputs_NTC; empty unless the decoder reads them (reads_blocks()).
  std::vector<std::vector<at::Tensor>> block_inputs_NTC;
};

// The decoder's parameters outside of any module. Upstream lists them before all modules, together
// with the encoder's.
struct Embeddings {
  at::Tensor mask_token_11D;
  // Frozen table in raster order, [1, L, D], or [1, 1 + L, D] if there are class tokens.
  at::Tensor positions_1TD;
};

// Adds "mask_token" and "decoder_pos_embed" with upstream's initialisation; nothing for a linear
// decoder.
Embeddings add_embeddings(const nn::Scope& scope, const DecoderOptions& options, masks::Grid grid,
                          int64_t class_tokens);

// Cost for one image. Reads only `sizes`, `kept` and `grid` of the plan. For a transformer decoder
// it counts all tokens in every block, although the last block computes only hidden patches and the
// first block takes hidden patches from a table that all images share; the difference is 2 % for
// the base size.
nn::Cost cost(const DecoderOptions& options, const Source& source,
              const std::vector<Output>& outputs, const masks::ViewPlan& plan);

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Predicts the patches that the plan lists in hidden_slots_GH.
  virtual Reconstruction operator()(const DecoderInput& seen, const masks::ViewPlan& plan,
                                    const nn::Observer& observer = {}) const = 0;
};

std::unique_ptr<Decoder> make_decoder(const nn::Scope& scope, const DecoderOptions& options,
                                      const Source& source, const std::vector<Output>& outputs,
                                      const Embeddings& embeddings);

}  // namespace fcm::decoder
