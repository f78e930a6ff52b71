// Prints results on stdout.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fcm::apps {

// The result as text: names and values in two columns; names of nested values are joined with dots.
// A list of objects with the same keys becomes a table.
std::string as_text(const nlohmann::json& result);

// One line per row: its "name", padded to the widest name, then the text that `rest` returns.
std::string lines_by_name(const nlohmann::json& rows,
                          const std::function<std::string(const nlohmann::json&)>& rest);

// Prints the result as JSON or with as_text(). Throws Error(kUsage) if stdout cannot be written.
void print_result(const nlohmann::json& result, bool as_json);
void print_text(const std::string& text);

}  // namespace fcm::apps
