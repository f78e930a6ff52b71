#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "fcm/base/error.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps::commands {

Action recipe_list(Flags& flags) {
  flags.describe("The recipes that ship with the program");
  return [](const Output& output) {
    nlohmann::json recipes = nlohmann::json::array();
    std::string text;
    size_t width = 0;
    const auto files = recipe::shipped_recipes(recipe_folders());
    for (const auto& file : files) width = std::max(width, file.stem().string().size());
    for (const auto& file : files) {
      const std::string name = file.stem().string();
      std::string about;
      try {
        about = any_recipe({file.string(), {}, {}}).row.about;
      } catch (const Error& error) {
        output.reporter.warn(error.what());  // one bad recipe must not hide the others
        continue;
      }
      recipes.push_back({{"name", name}, {"about", about}, {"file", file.string()}});
      text += fmt::format("{:<{}}  {}\n", name, width, about);
    }
    return output.print(recipes, text);
  };
}

}  // namespace fcm::apps::commands
