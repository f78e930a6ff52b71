// The kinds of encoders, and the properties of each that must be known before an encoder is
// constructed. Models and training read these properties. Code for one kind of network alone (files
// of other programs, detectors, a few checks of recipes) compares Family::kind.
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
  int64_t class_tokens = 0;    // number of them before the patches of every view
  bool positions = true;       // has a position table
  bool mask_tokens = false;    // can see hidden patches as mask tokens
  bool pools_latents = false;  // its classifiers average latents and have no fc_norm
  // Prefix of the last stage's blocks: observers see "<prefix>.0", ...
  std::string (*last_blocks)(const EncoderOptions& options);
  std::vector<EncoderOptions> sizes;  // the named sizes

  std::unique_ptr<Encoder> (*make)(const nn::Scope& scope, const EncoderOptions& options,
                                   int64_t channels, const Embeddings& embeddings,
                                   const Outputs& outputs);
  // The cost for one image. Reads only `sizes`, `kept` and `grid` of the plan.
  nn::Cost (*cost)(const EncoderOptions& options, int64_t channels, const masks::ViewPlan& plan,
                   const Outputs& outputs);
  // The layer to which a classifier's parameter belongs, for layer decay. Parameters outside of the
  // encoder belong to the last layer.
  nn::Layer (*layer_of)(const EncoderOptions& options, std::string_view name);
  // Recognises the tensors of a file by their upstream names; nullopt: they are of another kind.
  std::optional<Recognised> (*recognise)(const Shapes& shapes);
  // Invalid combinations of options, one sentence each.
  std::vector<std::string> (*option_errors)(const EncoderOptions& options);
};

// All kinds, in the order shown to users.
const std::vector<Family>& families();

// Throws Error(kUsage) for an unknown kind.
const Family& family(const std::string& kind);

// The named size with the same dims, depths and heads; nullptr: there is none.
const EncoderOptions* size_like(const std::string& kind, const EncoderOptions& options);

// Adds "cls_token" and "pos_embed", if the kind has them, with upstream's initial values: cls_token
// from a normal distribution of std 0.02, pos_embed from sines and cosines. Fine-tuning trains
// pos_embed (trainable_positions), pretraining does not.
Embeddings add_embeddings(const nn::Scope& scope, const std::string& kind, int64_t dim,
                          masks::Grid grid, bool trainable_positions);

// Adds those of "cls_token", "reg_token" and "pos_embed" that the tower has, all zero, to be loaded
// from a file. None is trainable.
Embeddings add_tower_embeddings(const nn::Scope& scope, const Tower& tower, int64_t dim,
                                masks::Grid grid);

std::unique_ptr<Encoder> make_encoder(const std::string& kind, const nn::Scope& scope,
                                      const EncoderOptions& options, int64_t channels,
                                      const Embeddings& embeddings, const Outputs& outputs);

// Adds "mask_token" with the first stage's channels, so that the encoder sees hidden patches as
// mask tokens, and selects the initialisation of SimMIM.
void add_mask_token(const nn::Scope& scope, const EncoderOptions& options, Embeddings& embeddings);

// Family::layer_of, bound to `options`, for the optimizer's parameter groups.
nn::LayerOf layer_of(const std::string& kind, const EncoderOptions& options);

}  // namespace fcm::encoder
