// Labels from text: numbers, and names that become classes. A faulty label is reported when the
// label is used, never when its image is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fcm/loader/dataset.h"

namespace fcm::loader {

inline constexpr int32_t kMostClasses = 100'000;  // each has a name and, in a classifier, weights

// A decimal number below kMostClasses; nullopt for anything else.
std::optional<int32_t> label_from_text(std::string_view text);

// Whether the text is a number of any kind: "-1", "100000", "0.0".
bool is_number(std::string_view text);

// Whether the text can be the name of a class: short, printable and not a number.
bool is_class_name(std::string_view text);

// The labels of a set, one per image.
struct Labels {
  std::vector<int32_t> numbers;                     // -1: missing or unusable
  std::unordered_map<int64_t, std::string> faults;  // by index: why a label is unusable
  std::vector<std::string> classes;                 // empty: no image has a usable label
  std::string missing = "it has no label, but other images have one";

  // Dataset::label of the i-th image of `set`, whose labels these are.
  int64_t at(int64_t index, const Dataset& set) const;
};

// Collects labels image by image.
class LabelCollector {
 public:
  void add_none() { numbers_.push_back(-1); }
  void add_number(int32_t number) { numbers_.push_back(number); }
  // `name` satisfies is_class_name. `fault` is reported if names do not become classes.
  void add_name(std::string_view name, std::string fault);
  void add_fault(std::string fault);
  int64_t size() const { return static_cast<int64_t>(numbers_.size()); }

  // Names become classes, in alphabetical order, if no label is a number and there are few distinct
  // names (at most 10,000, and at most half as many as named images); a note reports the classes.
  // Numbered classes are named by the lines of classes.txt in `folder` if the file has enough
  // lines, else by their numbers.
  Labels finish(const std::filesystem::path& folder, Remarks& remarks);

 private:
  bool names_are_classes() const;

  std::vector<int32_t> numbers_;  // below -1: a name, numbered from -2 down
  std::map<std::string, int32_t, std::less<>> names_;
  int64_t named_ = 0;
  std::unordered_map<int64_t, std::string> faults_;
};

// Class names, one per line, without surrounding blanks; empty lines at the end do not count.
// Throws Error(kData) if the file is unreadable or too large.
std::vector<std::string> lines_of_names(const std::filesystem::path& file);

// Names of the classes from 0 to the largest of `numbers` (-1: no label), from classes.txt in
// `folder` if it has enough lines, else from numbered_classes.
std::vector<std::string> class_names(const std::filesystem::path& folder,
                                     std::span<const int32_t> numbers, Remarks& remarks);

// The numbers from 0 to the largest of `numbers` as class names. A note lists the numbers that no
// image has, since a classifier gets a useless output for each of them.
std::vector<std::string> numbered_classes(std::span<const int32_t> numbers, Remarks& remarks);

// Counts the unusable labels of `set` in the remarks. Missing labels count too, unless no image has
// a usable label.
void remark_bad_labels(const Dataset& set, const Labels& labels, Remarks& remarks);

}  // namespace fcm::loader
