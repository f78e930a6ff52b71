// Recipes as text: a strict reader, `--set`, a printer whose output reads back to the same values.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/config/fields.h"

namespace fcm::config {

// Fills the fields of a recipe from a file and from --set, then demands that every key was given: a
// recipe is complete, so what stands in it is what runs. (But for switches, which are off where
// they are left out.)
//
//     Recipe recipe;
//     Reader reader(fields_of(recipe));
//     reader.read(text, "my.toml");
//     reader.set("optim.epochs=10");
//     reader.finish("my.toml");
//
// Every fault is an Error(kUsage) that says file:line, key, value and what is allowed; several
// faults of one file come as several lines.
class Reader {
 public:
  explicit Reader(std::vector<Field> fields);  // present values are the usual ones

  // Refuses unknown and repeated keys, wrong types, values out of range and lists of wrong length.
  // A whole number is taken where any number may stand, not the other way round.
  void read(std::string_view toml, const std::string& file_name);

  // "section.key=value", with a TOML value or a bare word for a text. Returns the field.
  const Field& set(const std::string& assignment);

  // Names every key that neither read() nor set() met, with its usual value.
  void finish(const std::string& file_name) const;

 private:
  std::vector<Field> fields_;
  std::vector<std::string> usual_;
  std::vector<bool> given_;
};

// The recipe as TOML, every key in the order of `visit`; with help as comments if asked.
std::string print(std::span<const Field> fields, bool with_help);

// 16 hexadecimal digits that stand for the values: equal for two recipes that print the same.
std::string hash(std::span<const Field> fields);

// Every key with its present value, kind, allowed values and help, as a Markdown table.
std::string key_table(std::span<const Field> fields);

// Names every value that is not allowed: for recipes that were not read from text.
void check_values(std::span<const Field> fields);

}  // namespace fcm::config
