#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/commands/recipe_values.h"
#include "fcm/config/recipe_io.h"
#include "fcm/recipe/recipe.h"

namespace fcm::apps::commands {

Action recipe_keys(Flags& flags) {
  flags.describe("Every key with its default, range and meaning");
  return [](const Output& output) {
    recipe::Recipe pretraining, classification;
    classification.task = recipe::Classify{};
    std::vector<config::Field> fields = config::fields_of(pretraining);
    for (config::Field& field : config::fields_of(classification)) {
      // The sections that only recipes of classification have.
      const bool own = field.section == "classifier" || field.section == "augment";
      if (own) fields.push_back(std::move(field));
    }
    nlohmann::json table = nlohmann::json::array();
    for (const config::Field& field : fields) {
      table.push_back({{"key", field.name()},
                       {"usual", json_of(field)},
                       {"kind", kind_of(field)},
                       {"allowed", allowed_in(field)},
                       {"help", field.help}});
    }
    return output.print(table, config::key_table(fields));
  };
}

}  // namespace fcm::apps::commands
