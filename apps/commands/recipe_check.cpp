#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/commands/commands.h"
#include "apps/recipes.h"
#include "fcm/base/error.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps::commands {

Action recipe_check(Flags& flags) {
  struct Arguments {
    std::vector<std::string> names;
    RecipeChoice changes;  // applied to every recipe
  };
  const auto arguments = std::make_shared<Arguments>();
  flags.describe("Find unknown keys, missing keys and invalid values",
                 "Example:\n  fastconvmae recipe check mine.toml");
  flags.add_words("recipes", arguments->names, "NAME|FILE",
                  "Names or files; default: all shipped recipes");
  add_set(flags, arguments->changes);
  add_seed(flags, arguments->changes);
  return [arguments](const Output& output) {
    std::vector<std::string> names = arguments->names;
    if (names.empty()) {
      for (const auto& file : recipe::shipped_recipes(recipe_folders())) {
        names.push_back(file.stem().string());
      }
    }
    nlohmann::json results = nlohmann::json::array();
    std::string text;
    bool good = true;
    for (const std::string& name : names) {
      nlohmann::json result = {{"recipe", name}, {"ok", true}};
      try {
        const RecipeChoice choice{name, arguments->changes.set, arguments->changes.seed};
        result["hash"] = recipe::recipe_hash(any_recipe(choice));
        text += fmt::format("{}: ok, {}\n", name, result["hash"].get<std::string>());
      } catch (const Error& error) {
        good = false;
        result["ok"] = false;
        result["fault"] = error.what();
        std::istringstream faults(error.what());
        for (std::string fault; std::getline(faults, fault);) output.reporter.warn(fault);
      }
      results.push_back(result);
    }
    output.print(results, text);
    return static_cast<int>(good ? ExitCode::kDone : ExitCode::kUsage);
  };
}

}  // namespace fcm::apps::commands
