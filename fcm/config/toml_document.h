// A TOML text as a flat list, in line order. Only toml_document.cpp uses the TOML library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fcm::config {

// monostate: a TOML type that recipes do not use (dates, tables and lists inside values).
using Scalar = std::variant<std::monostate, bool, int64_t, double, std::string>;

struct Value {
  bool is_list = false;
  std::vector<Scalar> items;  // exactly one unless is_list
};

struct Entry {
  std::string section;  // empty: the key comes before any section
  std::string key;
  Value value;
  uint32_t line = 0;
};

struct Section {
  std::string name;
  uint32_t line = 0;
};

struct Document {
  std::vector<Section> sections;
  std::vector<Entry> entries;
};

// Throws Error(kUsage) "file:line: ..." for malformed TOML, including duplicate keys; "file: ..."
// if the library fails an assertion.
Document parse_toml(std::string_view text, const std::string& file_name);

// A single value, as on the right of `key = `. nullopt: not a TOML value.
std::optional<Value> parse_toml_value(const std::string& text);

// The value as TOML text, shortened for messages.
std::string shown(const Value& value);

const char* toml_library_version();

}  // namespace fcm::config
