// The list of a recipe's keys: for each key a pointer to its value, its type, the allowed values
// and the help text. `fields_of` collects the list by calling `visit`; reading, setting, printing,
// hashing and documenting are loops over it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fcm/config/field.h"

namespace fcm::config {

// One key. Points into the options struct, which must outlive it.
struct Field {
  using Target = std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*,
                              std::vector<double>*, CountOrAll*, OneOrMore*>;
  std::string section;
  std::string key;
  Target target;
  Range range;
  OneOf one_of;
  std::string help;
  // An optional bool: off unless the recipe names it, and printed only if on.
  bool may_be_left_out = false;

  std::string name() const { return section + "." + key; }
};

namespace internal {

// The visitor: `visitor.section(name, options)` enters a section, `visitor(name, value, allowed,
// help)` lists a key, `visitor.off_unless_named(name, value, help)` lists an optional switch.
class Collector {
 public:
  template <class Options>
  void section(const char* name, Options& options) {
    section_ = name;
    options.visit(*this);
  }

  void operator()(const char* key, bool& value, const char* help) {
    fields.push_back({section_, key, &value, {}, {}, help});
  }
  // For switches that change no result. Recipes written before the switch existed stay valid, and
  // so do their hashes.
  void off_unless_named(const char* key, bool& value, const char* help) {
    fields.push_back({section_, key, &value, {}, {}, help, true});
  }
  void operator()(const char* key, std::string& value, OneOf allowed, const char* help) {
    fields.push_back({section_, key, &value, {}, std::move(allowed), help});
  }
  // Number: int64_t, double, a vector of either, CountOrAll or OneOrMore.
  template <class Number>
  void operator()(const char* key, Number& value, Range allowed, const char* help) {
    fields.push_back({section_, key, &value, allowed, {}, help});
  }

  std::vector<Field> fields;

 private:
  std::string section_;
};

}  // namespace internal

// All keys of a recipe-like struct, in the order of its `visit`.
template <class Recipe>
std::vector<Field> fields_of(Recipe& recipe) {
  internal::Collector collector;
  recipe.visit(collector);
  return std::move(collector.fields);
}

// The type of the key's value in words: "a number", "a list of 2 whole numbers", ...
std::string kind_of(const Field& field);
// The allowed values: "0 to 0.99", "bicubic, bilinear", ...; empty if every value of the type is
// allowed.
std::string allowed_in(const Field& field);

// The current value as TOML: 0.75, "auto", [4, 2, 2]. Reading it back gives the same value.
std::string value_of(const Field& field);
std::string number_text(double value);
std::string quoted_text(const std::string& text);

// What is wrong with the current value, in words; empty if it is allowed.
std::string fault_of(const Field& field);

}  // namespace fcm::config
