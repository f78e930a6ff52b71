// Results on stdout.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace fcm::apps {

// Names and values in two columns; names of nested values are joined by dots.
std::string as_text(const nlohmann::json& result);

// JSON, or the text form. Throws Error(kUsage) where stdout takes no more.
void print_result(const nlohmann::json& result, bool as_json);
void print_text(const std::string& text);

}  // namespace fcm::apps
