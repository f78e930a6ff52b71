#include "fcm/config/recipe_io.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "fcm/base/error.h"
#include "fcm/base/random.h"
#include "fcm/config/assign.h"
#include "fcm/config/nearest.h"
#include "fcm/config/toml_document.h"

namespace fcm::config {
namespace {

void throw_if_any(const std::vector<std::string>& faults) {
  if (!faults.empty()) fail(ExitCode::kUsage, "{}", fmt::join(faults, "\n"));
}

std::vector<std::string> section_names(std::span<const Field> fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    if (names.empty() || names.back() != field.section) names.push_back(field.section);
  }
  return names;
}

std::vector<std::string> keys_of(std::span<const Field> fields, const std::string& section) {
  std::vector<std::string> keys;
  for (const Field& field : fields) {
    if (field.section == section) keys.push_back(field.key);
  }
  return keys;
}

std::optional<size_t> find(std::span<const Field> fields, const std::string& section,
                           const std::string& key) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].section == section && fields[i].key == key) return i;
  }
  return std::nullopt;
}

std::string unknown_section(std::span<const Field> fields, const std::string& section) {
  const std::vector<std::string> names = section_names(fields);
  const auto meant = nearest(section, names);
  return fmt::format("unknown section [{}]; {}", section,
                     meant ? fmt::format("did you mean [{}]?", *meant)
                           : fmt::format("the sections are: {}", fmt::join(names, ", ")));
}

// Suggests, in this order: a similar key in the same section, the same key in another section, a
// similar key anywhere.
std::string unknown_key(std::span<const Field> fields, const std::string& section,
                        const std::string& key) {
  const std::string named = section.empty() ? key : section + "." + key;
  const std::vector<std::string> siblings = keys_of(fields, section);
  std::optional<std::string> meant = nearest(key, siblings);
  if (meant) {
    meant = section + "." + *meant;
  } else {
    std::vector<std::string> all;
    for (const Field& field : fields) {
      if (!meant && field.key == key) meant = field.name();
      all.push_back(field.name());
    }
    if (!meant) meant = nearest(named, all);
  }
  if (meant) return fmt::format("unknown key {}; did you mean {}?", named, *meant);
  if (siblings.empty()) return fmt::format("unknown key {}; every key belongs in a section", named);
  return fmt::format("unknown key {}; [{}] has: {}", named, section, fmt::join(siblings, ", "));
}

bool has_section(std::span<const Field> fields, const std::string& section) {
  return std::any_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return field.section == section; });
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// --set row.name=7 means the text "7"; --set masks.views=all needs no quotes around the word.
Value value_for(const Field& field, const std::string& text) {
  const bool wants_text = std::holds_alternative<std::string*>(field.target);
  auto value = parse_toml_value(text);
  const bool is_text =
      value && !value->is_list && std::holds_alternative<std::string>(value->items.front());
  if (value && (is_text || !wants_text)) return *value;
  if (!parse_toml_value(quoted_text(text))) {
    fail(ExitCode::kUsage, "--set {}: the value is not UTF-8 text", field.name());
  }
  return Value{false, {text}};
}

}  // namespace

Reader::Reader(std::vector<Field> fields) : fields_(std::move(fields)) {
  for (const Field& field : fields_) defaults_.push_back(value_of(field));
  given_.assign(fields_.size(), false);
}

void Reader::read(std::string_view toml, const std::string& file_name) {
  const Document document = parse_toml(toml, file_name);
  std::vector<std::pair<uint32_t, std::string>> faults;
  for (const Section& section : document.sections) {
    if (!has_section(fields_, section.name)) {
      faults.emplace_back(section.line, unknown_section(fields_, section.name));
    }
  }
  for (const Entry& entry : document.entries) {
    if (!entry.section.empty() && !has_section(fields_, entry.section)) continue;  // reported above
    const auto index = find(fields_, entry.section, entry.key);
    if (!index) {
      faults.emplace_back(entry.line, unknown_key(fields_, entry.section, entry.key));
      continue;
    }
    given_[*index] = true;
    const Field& field = fields_[*index];
    const std::string fault = assign(field, entry.value);
    if (!fault.empty()) {
      faults.emplace_back(entry.line,
                          fmt::format("{} = {} {}", field.name(), shown(entry.value), fault));
    }
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> lines;
  for (const auto& [line, fault] : faults) {
    lines.push_back(fmt::format("{}:{}: {}", file_name, line, fault));
  }
  throw_if_any(lines);
}

const Field& Reader::set(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  const std::string name = trimmed(assignment.substr(0, equals));
  if (equals == std::string::npos || name.empty()) {
    fail(ExitCode::kUsage, "--set {}: write section.key=value, as in --set optim.epochs=10",
         assignment);
  }
  const size_t dot = name.find('.');
  const std::string section = dot == std::string::npos ? "" : name.substr(0, dot);
  const std::string key = dot == std::string::npos ? name : name.substr(dot + 1);
  if (!section.empty() && !has_section(fields_, section)) {
    fail(ExitCode::kUsage, "--set {}: {}", assignment, unknown_section(fields_, section));
  }
  const auto index = find(fields_, section, key);
  if (!index) {
    fail(ExitCode::kUsage, "--set {}: {}", assignment, unknown_key(fields_, section, key));
  }
  const Field& field = fields_[*index];
  const Value value = value_for(field, trimmed(assignment.substr(equals + 1)));
  const std::string fault = assign(field, value);
  if (!fault.empty()) {
    fail(ExitCode::kUsage, "--set {}: {} = {} {}", assignment, field.name(), shown(value), fault);
  }
  given_[*index] = true;
  return field;
}

void Reader::finish(const std::string& file_name) const {
  std::vector<std::string> lines;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (given_[i] || fields_[i].may_be_left_out) continue;
    lines.push_back(fmt::format(
        "{}: {} is missing; a recipe names every key, so add \"{} = {}\" (the "
        "default) to [{}]",
        file_name, fields_[i].name(), fields_[i].key, defaults_[i], fields_[i].section));
  }
  throw_if_any(lines);
}

std::string print(std::span<const Field> fields, bool with_help) {
  std::string text;
  const std::string* section = nullptr;
  for (const Field& field : fields) {
    if (field.may_be_left_out && !*std::get<bool*>(field.target)) continue;
    if (section == nullptr || *section != field.section) {
      text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", field.section);
      section = &field.section;
    }
    if (with_help) {
      const std::string allowed = allowed_in(field);
      text += fmt::format("# {}{}\n", field.help, allowed.empty() ? "" : " (" + allowed + ")");
    }
    text += fmt::format("{} = {}\n", field.key, value_of(field));
  }
  return text;
}

std::string hash(std::span<const Field> fields) {
  const std::string text = print(fields, false);
  return fmt::format("{:016x}", fnv1a64(text.data(), text.size()));
}

std::string key_table(std::span<const Field> fields) {
  std::string text = "| key | default | kind | allowed | what |\n|---|---|---|---|---|\n";
  for (const Field& field : fields) {
    text += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", field.name(), value_of(field),
                        kind_of(field), allowed_in(field), field.help);
  }
  return text;
}

void check_values(std::span<const Field> fields) {
  std::vector<std::string> lines;
  for (const Field& field : fields) {
    const std::string fault = fault_of(field);
    if (!fault.empty()) {
      lines.push_back(fmt::format("{} = {} {}", field.name(), value_of(field), fault));
    }
  }
  throw_if_any(lines);
}

}  // namespace fcm::config
