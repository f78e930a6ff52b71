// Makes recipes for upstream files, and upstream arguments from recipes.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fcm/interop/architecture.h"
#include "fcm/interop/published.h"
#include "fcm/recipe/recipe.h"

namespace fcm::interop {

// A recipe for a file without one. Sizes come from the tensors. Everything else comes from `args`
// (as main_pretrain.py stores them; may be null) and from upstream's defaults: ImageNet's mean and
// std, normalised pixels, images as large as the position table or 224 pixels, 16 heads in the
// decoder. The encoder has the heads of the named size with these channels, 16 heads for 1152, 1408
// or 1664 channels, or one head per 64 channels. A Swin's heads and image size follow from its bias
// tables. `facts` (facts.h; may be null) override these values, and `overrides` (as in --set)
// override everything. Throws Error(kUsage) that names `source` if heads, image size, or mean and
// std of grey images are neither known nor set.
recipe::Recipe published_recipe(const Architecture& architecture, const nlohmann::json& args,
                                const std::vector<std::string>& overrides,
                                const std::string& source, const nlohmann::json& facts = nullptr);

// The assumptions in published_recipe about keys that neither facts nor overrides decide: one
// sentence each, with the key that changes it. There are none for the upstream programs' own files,
// which are recognised by `args`. for_decoder: also the assumptions that only a decoder needs.
std::vector<std::string> assumptions(const recipe::Recipe& recipe, const Architecture& architecture,
                                     const nlohmann::json& args,
                                     const std::vector<std::string>& overrides,
                                     const nlohmann::json& facts, bool for_decoder);

// The arguments of main_pretrain.py that correspond to a recipe. "model" is the name of upstream's
// factory function, without a size if the recipe's sizes have no name.
nlohmann::json published_args(const recipe::Recipe& recipe);

// The optimizer's settings for a checkpoint with this `state`: those of the upstream file that it
// was read from, or those of the recipe at the last step.
PublishedOptimizer published_optimizer(const recipe::Recipe& recipe, const nlohmann::json& state);

}  // namespace fcm::interop
