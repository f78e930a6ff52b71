#include "fcm/config/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

namespace fcm::config {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string list_text(const std::vector<double>& values) {
  std::vector<std::string> texts;
  for (const double value : values) texts.push_back(number_text(value));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string list_text(const std::vector<int64_t>& values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

std::string list_kind(const Field& field, const char* of_what) {
  return field.range.length == 0 || field.range.length == Range::kAnyLength
             ? fmt::format("a list of {}", of_what)
             : fmt::format("a list of {} {}", field.range.length, of_what);
}

bool inside(const Range& range, double value) {
  return std::isfinite(value) && value >= range.low && value <= range.high;
}

std::string number_fault(const Field& field, double value) {
  if (!std::isfinite(value)) return "is not a finite number";
  if (inside(field.range, value)) return "";
  return fmt::format("is out of range: {}", allowed_in(field));
}

template <class Number>
std::string list_fault(const Field& field, const std::vector<Number>& values) {
  const size_t length = field.range.length;
  const bool any = length == Range::kAnyLength;
  if (length != 0 && !any && values.size() != length) {
    return fmt::format("has {} element{}, not {}", values.size(), values.size() == 1 ? "" : "s",
                       length);
  }
  if (values.empty() && !any) return "is an empty list";
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string fault = number_fault(field, static_cast<double>(values[i]));
    if (!fault.empty()) return fmt::format("has an element ({}) that {}", values[i], fault);
  }
  return "";
}

std::string text_fault(const Field& field, const std::string& text) {
  const auto& names = field.one_of.names;
  if (names.empty() || std::find(names.begin(), names.end(), text) != names.end()) return "";
  return fmt::format("is not one of: {}", fmt::join(names, ", "));
}

}  // namespace

std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text == "-0") text = "-0.0";  // as an integer, TOML would lose the sign
  return text;
}

std::string quoted_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (code < 0x20 || code == 0x7f) {
      quoted += fmt::format("\\u{:04X}", code);
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string kind_of(const Field& field) {
  return std::visit(
      Overloaded{[](bool*) -> std::string { return "true or false"; },
                 [](int64_t*) -> std::string { return "a whole number"; },
                 [](double*) -> std::string { return "a number"; },
                 [](std::string*) -> std::string { return "a string"; },
                 [&](std::vector<int64_t>*) { return list_kind(field, "whole numbers"); },
                 [&](std::vector<double>*) { return list_kind(field, "numbers"); },
                 [](CountOrAll*) -> std::string { return "a whole number or \"all\""; },
                 [](OneOrMore*) -> std::string { return "a whole number or a list of them"; }},
      field.target);
}

std::string allowed_in(const Field& field) {
  if (std::holds_alternative<std::string*>(field.target)) {
    return fmt::format("{}", fmt::join(field.one_of.names, ", "));
  }
  const bool low = std::isfinite(field.range.low), high = std::isfinite(field.range.high);
  if (low && high) return fmt::format("{} to {}", field.range.low, field.range.high);
  if (low) return fmt::format("{} or more", field.range.low);
  if (high) return fmt::format("{} or less", field.range.high);
  return "";
}

std::string value_of(const Field& field) {
  return std::visit(
      Overloaded{[](const bool* value) -> std::string { return *value ? "true" : "false"; },
                 [](const int64_t* value) { return fmt::format("{}", *value); },
                 [](const double* value) { return number_text(*value); },
                 [](const std::string* value) { return quoted_text(*value); },
                 [](const CountOrAll* value) {
                   return value->all() ? quoted_text("all") : fmt::format("{}", value->count);
                 },
                 [](const OneOrMore* value) {
                   return value->values.size() == 1 ? fmt::format("{}", value->last())
                                                    : list_text(value->values);
                 },
                 [](const auto* list) { return list_text(*list); }},
      field.target);
}

std::string fault_of(const Field& field) {
  return std::visit(
      Overloaded{
          [](const bool*) -> std::string { return ""; },
          [&](const int64_t* value) { return number_fault(field, static_cast<double>(*value)); },
          [&](const double* value) { return number_fault(field, *value); },
          [&](const std::string* value) { return text_fault(field, *value); },
          [&](const CountOrAll* value) -> std::string {
            if (value->all()) return "";
            return number_fault(field, static_cast<double>(value->count));
          },
          [&](const OneOrMore* value) {
            return value->values.size() == 1
                       ? number_fault(field, static_cast<double>(value->last()))
                       : list_fault(field, value->values);
          },
          [&](const auto* list) { return list_fault(field, *list); }},
      field.target);
}

}  // namespace fcm::config
