#include "fcm/recipe/recipe.h"

#include <algorithm>
#include <array>

#include "fcm/config/recipe_io.h"
#include "fcm/config/toml_document.h"

namespace fcm::recipe {
namespace {

Recipe read(std::string_view toml, const std::string& file_name,
            const std::vector<std::string>& overrides, bool complete) {
  Recipe recipe = recipe_for_task_of(toml, file_name);
  config::Reader reader(config::fields_of(recipe));
  reader.read(toml, file_name);
  for (const std::string& assignment : overrides) {
    const std::string key = reader.set(assignment).name();
    const bool names_size = key == "encoder.size" || key == "model.kind";
    const std::string& size = recipe.encoder.size;
    if (names_size && size != "custom" && size != "checkpoint") {
      recipe.encoder = encoder::named_size(recipe.model.kind, size);
    }
  }
  if (complete) reader.finish(file_name);
  return recipe;
}

}  // namespace

Recipe recipe_for_task_of(std::string_view toml, const std::string& file_name) {
  Recipe recipe;
  const config::Document document = config::parse_toml(toml, file_name);
  const auto has = [&](std::string_view name) {
    return std::any_of(document.sections.begin(), document.sections.end(),
                       [&](const config::Section& section) { return section.name == name; });
  };
  if (has("classifier")) recipe.task = Classify{};
  if (has("segmenter")) recipe.task = Segment{};
  if (has("detector")) recipe.task = Detect{};
  return recipe;
}

const char* section_of_task(const Recipe& recipe) {
  constexpr std::array kSections{"", "[classifier]", "[segmenter]", "[detector]"};
  static_assert(kSections.size() == std::variant_size_v<decltype(Recipe::task)>);
  return kSections[recipe.task.index()];
}

Recipe read_recipe(std::string_view toml, const std::string& file_name,
                   const std::vector<std::string>& overrides) {
  return read(toml, file_name, overrides, true);
}

Recipe read_stored_recipe(std::string_view toml, const std::string& source,
                          const std::vector<std::string>& overrides) {
  return read(toml, source, overrides, false);
}

std::string print_recipe(const Recipe& recipe, bool with_help) {
  Recipe copy = recipe;  // `visit` hands out writable references
  return config::print(config::fields_of(copy), with_help);
}

std::string recipe_hash(const Recipe& recipe) {
  Recipe copy = recipe;
  return config::hash(config::fields_of(copy));
}

Recipe pretraining_of(const Recipe& recipe) {
  if (recipe.is<Pretrain>()) return recipe;
  Recipe same = recipe;
  same.task = Pretrain{};
  same.pretrain().masks.ratio = 0;
  return same;
}

}  // namespace fcm::recipe
