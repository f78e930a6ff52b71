// Reading recipes of every kind. Private to this folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fcm/config/recipe_io.h"
#include "fcm/encoder/options.h"

namespace fcm::train {

// As read_recipe and, where not `complete`, read_stored_recipe (recipe.h); R: Recipe or
// FinetuneRecipe.
template <typename R>
R read_recipe_as(std::string_view toml, const std::string& file_name,
                 const std::vector<std::string>& overrides, bool complete) {
  R recipe;
  config::Reader reader(config::fields_of(recipe));
  reader.read(toml, file_name);
  for (const std::string& assignment : overrides) {
    const std::string key = reader.set(assignment).name();
    const bool names_size = key == "encoder.size" || key == "model.kind";
    if (names_size && recipe.encoder.size != "custom") {
      recipe.encoder =
          encoder::named_size(encoder::kind_named(recipe.model.kind), recipe.encoder.size);
    }
  }
  if (complete) reader.finish(file_name);
  return recipe;
}

}  // namespace fcm::train
