// Converts Python values (value.h) to JSON and back, except tensors.
#pragma once

#include <nlohmann/json.hpp>

#include "fcm/formats/value.h"

namespace fcm::formats {

// Namespaces become objects, paths strings, tuples arrays. NaN and infinity become strings, since
// JSON has neither. Keys that are not strings are written as JSON text. Bytes, opaque values and
// tensors become a description.
nlohmann::json to_json(const Value& value);

Value from_json(const nlohmann::json& json);

}  // namespace fcm::formats
