#include "apps/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "fcm/base/error.h"

namespace fcm::apps {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string value_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.5g}", value.get<double>());
  return value.dump();
}

void collect(const std::string& name, const nlohmann::json& value, Rows& rows) {
  if (!value.is_structured() || value.empty()) {
    rows.emplace_back(name, value_text(value));
    return;
  }
  size_t index = 0;
  for (const auto& [key, inner] : value.items()) {
    const std::string part = value.is_array() ? fmt::format("{}", index++) : key;
    collect(name.empty() ? part : name + "." + part, inner, rows);
  }
}

}  // namespace

std::string as_text(const nlohmann::json& result) {
  Rows rows;
  collect("", result, rows);
  size_t width = 0;
  for (const auto& [name, value] : rows) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : rows) text += fmt::format("{:<{}}  {}\n", name, width, value);
  return text;
}

void print_text(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    fail(ExitCode::kUsage, "cannot write the result to stdout: {}", std::strerror(errno));
  }
}

void print_result(const nlohmann::json& result, bool as_json) {
  // A name of a file need not be UTF-8; JSON must be.
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  print_text(as_json ? result.dump(2, ' ', false, kReplace) + "\n" : as_text(result));
}

}  // namespace fcm::apps
