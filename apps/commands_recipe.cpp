// recipe list, show, check, keys
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "apps/commands.h"
#include "apps/results.h"
#include "fcm/base/error.h"
#include "fcm/config/recipe_io.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps {
namespace {

template <typename Recipe>
nlohmann::json recipe_json(Recipe recipe) {
  nlohmann::json json;
  for (const config::Field& field : config::fields_of(recipe)) {
    nlohmann::json& value = json[field.section][field.key];
    std::visit(
        [&](const auto* target) {
          if constexpr (std::is_same_v<decltype(target), const config::CountOrAll*>) {
            value = target->all() ? nlohmann::json("all") : nlohmann::json(target->count);
          } else {
            value = *target;
          }
        },
        field.target);
  }
  return json;
}

int list(const Options& options, Reporter& reporter) {
  nlohmann::json recipes = nlohmann::json::array();
  std::string text;
  size_t width = 0;
  const auto files = recipe::shipped_recipes(recipe_folders());
  for (const auto& file : files) width = std::max(width, file.stem().string().size());
  for (const auto& file : files) {
    const std::string name = file.stem().string();
    std::string about;
    try {
      about = recipe::load_recipe(file.string(), {}, {}).row.about;
    } catch (const Error& error) {
      reporter.warn(error.what());  // one bad recipe must not hide the others
      continue;
    }
    recipes.push_back({{"name", name}, {"about", about}, {"file", file.string()}});
    text += fmt::format("{:<{}}  {}\n", name, width, about);
  }
  if (options.json) {
    print_result(recipes, true);
  } else {
    print_text(text);
  }
  return 0;
}

template <typename Recipe>
int show_one(const Options& options, const std::string& file, const Recipe& recipe) {
  if (options.json) {
    print_result(
        {{"file", file}, {"hash", recipe::recipe_hash(recipe)}, {"recipe", recipe_json(recipe)}},
        true);
  } else {
    print_text(recipe::print_recipe(recipe, /*with_help=*/true));
  }
  return 0;
}

int show(const Options& options) {
  const std::string file = recipe::find_recipe(options.recipes.front(), recipe_folders()).string();
  return names_finetune_recipe(file) ? show_one(options, file, finetune_recipe_of(options, file))
                                     : show_one(options, file, recipe_of(options, file));
}

int check_all(const Options& options, Reporter& reporter) {
  std::vector<std::string> names = options.recipes;
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
      result["hash"] = names_finetune_recipe(name)
                           ? recipe::recipe_hash(finetune_recipe_of(options, name))
                           : recipe::recipe_hash(recipe_of(options, name));
      text += fmt::format("{}: ok, {}\n", name, result["hash"].get<std::string>());
    } catch (const Error& error) {
      good = false;
      result["ok"] = false;
      result["fault"] = error.what();
      reporter.warn(error.what());
    }
    results.push_back(result);
  }
  if (options.json) {
    print_result(results, true);
  } else {
    print_text(text);
  }
  return static_cast<int>(good ? ExitCode::kDone : ExitCode::kUsage);
}

int keys(const Options& options) {
  recipe::Recipe usual;
  recipe::Recipe usual_finetune;
  std::vector<config::Field> fields = config::fields_of(usual);
  for (config::Field& field : config::fields_of(usual_finetune)) {
    // The sections that only recipes of fine-tuning have.
    const bool own = field.section == "classifier" || field.section == "augment";
    if (own) fields.push_back(std::move(field));
  }
  if (!options.json) {
    print_text(config::key_table(fields));
    return 0;
  }
  nlohmann::json values = recipe_json(usual);
  values.update(recipe_json(usual_finetune));
  nlohmann::json table = nlohmann::json::array();
  for (const config::Field& field : fields) {
    table.push_back({{"key", field.name()},
                     {"usual", values.at(field.section).at(field.key)},
                     {"kind", kind_of(field)},
                     {"allowed", allowed_in(field)},
                     {"help", field.help}});
  }
  print_result(table, true);
  return 0;
}

}  // namespace

int run_recipe_command(const Options& options, Reporter& reporter) {
  if (options.command == "recipe list") return list(options, reporter);
  if (options.command == "recipe show") return show(options);
  if (options.command == "recipe check") return check_all(options, reporter);
  return keys(options);
}

}  // namespace fcm::apps
