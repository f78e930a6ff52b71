// Recipes as text: a strict reader, `--set`, and a printer whose output reads back to the same
// values.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/config/fields.h"

namespace fcm::config {

// Fills the fields of a recipe from a file and from --set, then requires that every key was given:
// a recipe is complete, so its text alone defines the run. Only optional switches may be missing;
// a missing switch is off.
//
//     Recipe recipe;
//     Reader reader(fields_of(recipe));
//     reader.read(text, "my.toml");
//     reader.set("optim.epochs=10");
//     reader.finish("my.toml");
//
// Errors are Error(kUsage). read() reports all invalid entries of a file together, one a line, with
// file:line, key, value and what is allowed; malformed TOML ends read() at the first error.
class Reader {
 public:
  explicit Reader(std::vector<Field> fields);  // current values are the defaults

  // Refuses unknown and repeated keys, wrong types, values out of range and lists of wrong length.
  // An integer is accepted for a floating-point key, but not the reverse.
  void read(std::string_view toml, const std::string& file_name);

  // "section.key=value"; the value is TOML, or a bare word for a string. Returns the field.
  const Field& set(const std::string& assignment);

  // Throws Error(kUsage) that lists every key, except optional switches, that was given by neither
  // read() nor set(), with its default.
  void finish(const std::string& file_name) const;

 private:
  std::vector<Field> fields_;
  std::vector<std::string> defaults_;
  std::vector<bool> given_;
};

// The recipe as TOML: every key in the order of `visit`, optional switches only if they are on;
// `with_help` adds the help as comments.
std::string print(std::span<const Field> fields, bool with_help);

// Hash of the printed recipe (FNV-1a), 16 hexadecimal digits.
std::string hash(std::span<const Field> fields);

// Every key with its current value, type, allowed values and help, as a Markdown table.
std::string key_table(std::span<const Field> fields);

// For recipes that were not read from text: throws Error(kUsage) that lists every value that is not
// allowed.
void check_values(std::span<const Field> fields);

}  // namespace fcm::config
