#include "apps/commands/recipe_values.h"

#include <type_traits>
#include <variant>

namespace fcm::apps::commands {

nlohmann::json json_of(const config::Field& field) {
  nlohmann::json value;
  std::visit(
      [&](const auto* target) {
        if constexpr (std::is_same_v<decltype(target), const config::CountOrAll*>) {
          value = target->all() ? nlohmann::json("all") : nlohmann::json(target->count);
        } else if constexpr (std::is_same_v<decltype(target), const config::OneOrMore*>) {
          const auto& values = target->values;
          value = values.size() == 1 ? nlohmann::json(values[0]) : nlohmann::json(values);
        } else {
          value = *target;
        }
      },
      field.target);
  return value;
}

}  // namespace fcm::apps::commands
