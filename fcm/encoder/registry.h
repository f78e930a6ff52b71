// The kinds of encoders, and what is known of each before one is made: everything that depends on
// the kind is asked here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/encoder/encoder.h"
#include "fcm/encoder/names.h"
#include "fcm/encoder/options.h"
#include "fcm/masks/view_plan.h"
#include "fcm/nn/cost.h"
#include "fcm/nn/layer.h"
#include "fcm/nn/parameters.h"

namespace fcm::encoder {

struct Family {
  std::string kind;            // its name in recipes and files
  size_t stages = 1;           // elements of each list of EncoderOptions; 0: any number
  int64_t class_tokens = 0;    // in front of the patches of every view
  bool positions = true;       // has a table of them
  bool mask_tokens = false;    // can see hidden patches as mask tokens
  bool pools_latents = false;  // its classifiers take the mean of latents, not a norm of it
  // Observers see the blocks of the last stage as "<this>.0", ...
  std::string (*last_blocks)(const EncoderOptions& options);
  std::vector<EncoderOptions> sizes;  // the named ones

  std::unique_ptr<Encoder> (*make)(const nn::Scope& scope, const EncoderOptions& options,
                                   int64_t channels, const Embeddings& embeddings,
                                   const Outputs& outputs);
  // Of one picture. Of the plan, sizes and kept views are looked at.
  nn::Cost (*cost)(const EncoderOptions& options, int64_t channels, const masks::ViewPlan& plan,
                   const Outputs& outputs);
  // Of a classifier's parameter; what is not the encoder's comes last.
  nn::Layer (*layer_of)(const EncoderOptions& options, std::string_view name);
  // Whether the tensors of a file are of this kind, by their published names. nullopt: they are
  // not.
  std::optional<Recognised> (*recognise)(const Shapes& shapes);
  // Combinations of options that cannot work, a sentence each.
  std::vector<std::string> (*faults)(const EncoderOptions& options);
};

// All of them, in the order in which they are listed to users.
const std::vector<Family>& families();

// Throws Error(kUsage) for a kind that there is not.
const Family& family(const std::string& kind);

// The named size of these widths, depths and heads; nullptr: none.
const EncoderOptions* size_like(const std::string& kind, const EncoderOptions& options);

// Adds "cls_token" and "pos_embed", where the kind has them, with the published start values:
// normal of deviation .02, and sines and cosines. Pretraining keeps the table frozen, fine-tuning
// trains it.
Embeddings add_embeddings(const nn::Scope& scope, const std::string& kind, int64_t dim,
                          masks::Grid grid, bool trainable_positions);

// Adds what the tower has of "cls_token", "reg_token" and "pos_embed", all zero: to be read from a
// file. Nothing is trained.
Embeddings add_tower_embeddings(const nn::Scope& scope, const Tower& tower, int64_t dim,
                                masks::Grid grid);

std::unique_ptr<Encoder> make_encoder(const std::string& kind, const nn::Scope& scope,
                                      const EncoderOptions& options, int64_t channels,
                                      const Embeddings& embeddings, const Outputs& outputs);

// Adds "mask_token" of the first stage, and has the encoder see hidden patches as such.
void add_mask_token(const nn::Scope& scope, const EncoderOptions& options, Embeddings& embeddings);

// Family::layer_of, for the groups of an optimizer.
nn::LayerOf layer_of(const std::string& kind, const EncoderOptions& options);

}  // namespace fcm::encoder
