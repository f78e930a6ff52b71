// Prints JSON whose strings may hold any bytes, as file names do; JSON text itself must be UTF-8.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fcm::formats {

// As `value.dump(indent)`, but escapes bytes that are not UTF-8 (base/text.h): "caf\xe9". The text
// is valid JSON, and distinct names stay distinct.
std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace fcm::formats
