// Python values as JSON and back, tensors left out.
#pragma once

#include <nlohmann/json.hpp>

#include "fcm/formats/value.h"

namespace fcm::formats {

// Namespaces become objects, paths text, tuples arrays. JSON has no NaN and no infinity: they
// become text. Keys that are no text are spelt as JSON. Of what was not
// read only its name is given.
nlohmann::json to_json(const Value& value);

Value from_json(const nlohmann::json& json);

}  // namespace fcm::formats
