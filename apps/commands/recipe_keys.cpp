#include <nlohmann/json.hpp>

#include "apps/commands/commands.h"
#include "apps/commands/recipe_values.h"
#include "apps/recipes.h"
#include "fcm/config/recipe_io.h"

namespace fcm::apps::commands {

Action recipe_keys(Flags& flags) {
  flags.describe("Every key with its default, range and meaning");
  return [](const Output& output) {
    std::vector<recipe::Recipe> tasks = one_of_each_task();
    const std::vector<config::Field> fields = all_keys(tasks);
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
