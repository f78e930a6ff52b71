#include "fcm/recipe/values.h"

#include "fcm/config/fields.h"

namespace fcm::recipe {

Values values_of(Recipe recipe) {
  Values values;
  for (const config::Field& field : config::fields_of(recipe)) {
    if (field.section != "row") values.emplace_back(field.name(), config::value_of(field));
  }
  return values;
}

}  // namespace fcm::recipe
