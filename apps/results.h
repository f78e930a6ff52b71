// Results on stdout.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::apps {

// Names and values in two columns; names of nested values are joined by dots.
std::string as_text(const nlohmann::json& result);

// A line for each of `rows`: its "name", in a column, and what `rest` says of it.
std::string lines_by_name(const nlohmann::json& rows,
                          const std::function<std::string(const nlohmann::json&)>& rest);

// JSON, or the text form. Throws Error(kUsage) where stdout takes no more.
void print_result(const nlohmann::json& result, bool as_json);
void print_text(const std::string& text);

}  // namespace fcm::apps
