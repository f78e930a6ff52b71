// JSON text. Strings may hold any bytes (file names do), but JSON must be UTF-8.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fcm::formats {

// As `value.dump(indent)`, with bytes that are not UTF-8 escaped (base/text.h): "caf\xe9". The text
// is valid JSON, and distinct names stay distinct.
std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace fcm::formats
