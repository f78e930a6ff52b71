// From upstream files to recipes, and from recipes to upstream command lines.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/interop/architecture.h"
#include "fcm/interop/published.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// A recipe for a file without one. Sizes come from the tensors; everything else from `args` (as
// main_pretrain.py stores them; may be null) and from upstream's defaults: ImageNet's mean and std,
// normalised pixels, images as large as the position table or 224 pixels, 16 heads in the decoder.
// The encoder has the heads of the named size with these channels, or one head per 64 channels.
// `facts` (facts.h; may be null) override all that, `overrides`, as in --set, override everything.
// Throws Error(kUsage) that names `source` if heads or image size are neither known nor set.
recipe::Recipe published_recipe(const Architecture& architecture, const nlohmann::json& args,
                                const std::vector<std::string>& overrides,
                                const std::string& source, const nlohmann::json& facts = nullptr);

// The assumptions in published_recipe, for keys that neither arguments nor facts nor overrides
// decide: one sentence each, with the key that changes it. None for the upstream programs' own
// files (recognised by `args`). for_decoder: include those that only a decoder needs.
std::vector<std::string> assumptions(const recipe::Recipe& recipe, const Architecture& architecture,
                                     const nlohmann::json& args,
                                     const std::vector<std::string>& overrides,
                                     const nlohmann::json& facts, bool for_decoder);

// The arguments of main_pretrain.py that correspond to a recipe. `model` names upstream's factory
// of the recipe's named size; without a named size the name leaves it out.
nlohmann::json published_args(const recipe::Recipe& recipe);

// The optimizer's settings in a checkpoint's `state`: those of the upstream file it was read from,
// or the recipe's at the last step.
PublishedOptimizer published_optimizer(const recipe::Recipe& recipe, const nlohmann::json& state);

}  // namespace fcm::interop
