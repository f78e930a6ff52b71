// Recipes and the published programs: what their files say of a model and a run, and what their
// command lines would have said of a recipe.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/interop/architecture.h"
#include "fcm/interop/published.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// A recipe for a file that carries none. Sizes come from the tensors, what is left from `args` (as
// main_pretrain.py stores them; may be null) and from what the published programs do: ImageNet's
// mean and deviation, normalised pixels, pictures as large as the position table or 224 pixels, 16
// heads in the decoder. The heads of the encoder are those of the named size with these channels,
// or one for each 64 channels. `facts` (facts.h; may be null) win over
// all that, `overrides`, as --set takes them, over everything. Throws Error(kUsage) where
// the heads or the picture cannot be known and are not set; `source` is named.
recipe::Recipe published_recipe(const Architecture& architecture, const nlohmann::json& args,
                                const std::vector<std::string>& overrides,
                                const std::string& source, const nlohmann::json& facts = nullptr);

// What published_recipe had to assume, because neither arguments nor facts nor overrides say it: a
// sentence each, with the key that changes it. Of the published programs' own files (`args` are
// theirs) nothing is assumed. for_decoder: what only a decoder needs, too.
std::vector<std::string> assumptions(const recipe::Recipe& recipe, const Architecture& architecture,
                                     const nlohmann::json& args,
                                     const std::vector<std::string>& overrides,
                                     const nlohmann::json& facts, bool for_decoder);

// The arguments of main_pretrain.py that stand for a recipe. `model` names the published factory of
// the recipe's named size; a size without a name has none in it.
nlohmann::json published_args(const recipe::Recipe& recipe);

// Settings of the optimizer of a checkpoint's `state`: those of the published file it was read
// from, or what the recipe says of the last update.
PublishedOptimizer published_optimizer(const recipe::Recipe& recipe, const nlohmann::json& state);

}  // namespace fcm::interop
