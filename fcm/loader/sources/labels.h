// Labels as texts give them, from numbers and names to classes. A label that cannot be used is told
// to whoever asks for it, never to those who read the picture.
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

inline constexpr int32_t kMostClasses = 100'000;  // each gets a name and, in a classifier, weights

// A decimal number below kMostClasses; none for anything else.
std::optional<int32_t> label_from_text(std::string_view text);

// Whether the text is a number of any kind: "-1", "100000", "0.0".
bool is_number(std::string_view text);

// Whether it can be the name of a class: short, printable and no number.
bool is_class_name(std::string_view text);

// The labels of a set, one a picture.
struct Labels {
  std::vector<int32_t> numbers;                     // -1: none, or none that can be used
  std::unordered_map<int64_t, std::string> faults;  // why not, where there is one
  std::vector<std::string> classes;                 // empty: nobody has a label that can be used
  std::string missing = "it has no label, while others have one";

  // What Dataset::label answers for the i-th picture of `set`, whose labels these are.
  int64_t at(int64_t index, const Dataset& set) const;
};

// Collects them picture by picture.
class LabelCollector {
 public:
  void add_none() { numbers_.push_back(-1); }
  void add_number(int32_t number) { numbers_.push_back(number); }
  // A text that is_class_name; `fault` is what is wrong with it if names do not become classes.
  void add_name(std::string_view name, std::string fault);
  void add_fault(std::string fault);
  int64_t size() const { return static_cast<int64_t>(numbers_.size()); }

  // Names become classes, in the order of the alphabet, where no label is a number and there are
  // few of them; which is noted. Names of numbered classes are the lines of classes.txt in `folder`
  // if there are as many, or the numbers themselves.
  Labels finish(const std::filesystem::path& folder, Remarks& remarks);

 private:
  bool names_are_classes() const;

  std::vector<int32_t> numbers_;  // below -1: of a name, counted from -2 down
  std::map<std::string, int32_t, std::less<>> names_;
  int64_t named_ = 0;
  std::unordered_map<int64_t, std::string> faults_;
};

// Names of classes, one a line; empty lines at the end do not count. Error(kData) for what cannot
// be read or is too long.
std::vector<std::string> lines_of_names(const std::filesystem::path& file);

// Names of the classes 0 .. the largest of `numbers` (-1: none), as LabelCollector::finish gives
// them.
std::vector<std::string> class_names(const std::filesystem::path& folder,
                                     std::span<const int32_t> numbers, Remarks& remarks);

// The same where there are no names: the numbers. Those in between that no picture has are noted:
// each becomes an answer of a classifier that is never right.
std::vector<std::string> numbered_classes(std::span<const int32_t> numbers, Remarks& remarks);

// Counts the labels of `set` that are missing or cannot be used, where any can.
void remark_bad_labels(const Dataset& set, const Labels& labels, Remarks& remarks);

}  // namespace fcm::loader
