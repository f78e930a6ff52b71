#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/commands/recipe_values.h"
#include "apps/recipes.h"
#include "fcm/recipe/recipe_files.h"

namespace fcm::apps::commands {

Action recipe_show(Flags& flags) {
  const auto choice = std::make_shared<RecipeChoice>();
  flags.describe("A recipe with the changes of --set, and the meaning of every key",
                 "Example:\n  fastconvmae recipe show demo --set optim.epochs=5 > mine.toml");
  flags.add("recipe", choice->name, "NAME|FILE", "Name or file").required();
  add_set(flags, *choice);
  add_seed(flags, *choice);
  return [choice](const Output& output) {
    recipe::Recipe recipe = any_recipe(*choice);
    nlohmann::json values;
    for (const config::Field& field : config::fields_of(recipe)) {
      values[field.section][field.key] = json_of(field);
    }
    return output.print({{"file", recipe::find_recipe(choice->name, recipe_folders()).string()},
                         {"hash", recipe::recipe_hash(recipe)},
                         {"recipe", values}},
                        recipe::print_recipe(recipe, /*with_help=*/true));
  };
}

}  // namespace fcm::apps::commands
