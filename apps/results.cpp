#include "apps/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "apps/streams.h"
#include "fcm/base/error.h"
#include "fcm/base/text.h"
#include "fcm/formats/json_text.h"

namespace fcm::apps {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

std::string value_text(const nlohmann::json& value) {
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_number_float()) return fmt::format("{:.5g}", value.get<double>());
  return formats::json_text(value);
}

// Such a list, for example of a thousand class names, would fill the terminal.
bool is_long_list_of_texts(const nlohmann::json& value) {
  constexpr size_t kMost = 20;
  return value.is_array() && value.size() > kMost &&
         std::ranges::all_of(value, [](const nlohmann::json& one) { return one.is_string(); });
}

void collect(const std::string& name, const nlohmann::json& value, Rows& rows) {
  if (!value.is_structured() || value.empty()) {
    rows.emplace_back(name, value_text(value));
    return;
  }
  if (is_long_list_of_texts(value)) {
    rows.emplace_back(name, fmt::format("{} of them: --json lists them", value.size()));
    return;
  }
  size_t index = 0;
  for (const auto& [key, inner] : value.items()) {
    const std::string part = value.is_array() ? fmt::format("{}", index++) : key;
    collect(name.empty() ? part : name + "." + part, inner, rows);
  }
}

// A list of objects with the same keys.
bool is_table(const nlohmann::json& value) {
  if (!value.is_array() || value.empty() || !value[0].is_object()) return false;
  return std::ranges::all_of(value, [&](const nlohmann::json& row) {
    if (!row.is_object() || row.size() != value[0].size()) return false;
    const auto items = value[0].items();
    return std::ranges::all_of(items.begin(), items.end(), [&](const auto& item) {
      return row.contains(item.key()) && !row.at(item.key()).is_structured();
    });
  });
}

// A table whose columns are as wide as their widest entry. Texts are left-aligned and come first,
// numbers are right-aligned.
std::string table_text(const nlohmann::json& table) {
  std::vector<std::vector<std::string>> lines(table.size() + 1);
  std::vector<bool> left;
  std::vector<std::string> keys;  // those of texts first
  for (const bool text : {true, false}) {
    for (const auto& [key, value] : table[0].items()) {
      if (value.is_string() == text) keys.push_back(key);
    }
  }
  for (const std::string& key : keys) {
    lines[0].push_back(key);
    left.push_back(table[0].at(key).is_string());
    for (size_t row = 0; row < table.size(); ++row) {
      lines[row + 1].push_back(value_text(table[row].at(key)));
    }
  }
  std::vector<size_t> widths(left.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string entry = left[i] ? fmt::format("{:<{}}", line[i], widths[i])
                                        : fmt::format("{:>{}}", line[i], widths[i]);
      text += i == 0 ? entry : "  " + entry;
    }
    while (text.ends_with(' ')) text.pop_back();
    text += "\n";
  }
  return text;
}

}  // namespace

std::string as_text(const nlohmann::json& result) {
  if (is_table(result)) return table_text(result);
  nlohmann::json plain = result;
  std::string tables;
  for (const auto& [name, value] : result.items()) {
    if (!result.is_object() || !is_table(value)) continue;
    plain.erase(name);
    tables += "\n" + name + "\n" + table_text(value);
  }
  Rows rows;
  collect("", plain, rows);
  size_t width = 0;
  for (const auto& [name, value] : rows) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : rows) text += fmt::format("{:<{}}  {}\n", name, width, value);
  return text + tables;
}

std::string lines_by_name(const nlohmann::json& rows,
                          const std::function<std::string(const nlohmann::json&)>& rest) {
  size_t width = 0;
  for (const nlohmann::json& row : rows) {
    width = std::max(width, row.at("name").get_ref<const std::string&>().size());
  }
  std::string text;
  for (const nlohmann::json& row : rows) {
    text += fmt::format("{:<{}}  {}\n", row.at("name").get<std::string>(), width, rest(row));
  }
  return text;
}

void print_text(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    if (errno == EPIPE) end_as_by_sigpipe();
    const char* const reason = errno == EBADF ? "it is closed" : std::strerror(errno);
    fail(ExitCode::kUsage, "cannot write the result to stdout: {}", reason);
  }
}

void print_result(const nlohmann::json& result, bool as_json) {
  print_text(as_json ? formats::json_text(result, 2) + "\n" : as_text(result));
}

}  // namespace fcm::apps
