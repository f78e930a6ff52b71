// JSON as text. Texts in it may hold any bytes, as names of files do; JSON must be UTF-8.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fcm::formats {

// As `value.dump(indent)`. Bytes that are not UTF-8 are escaped (base/text.h): "caf\xe9", so that
// the text is valid JSON and two names do not become one.
std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace fcm::formats
