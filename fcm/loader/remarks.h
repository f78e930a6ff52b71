// Remarks made while a data set is opened: what was skipped, what was assumed, what looks wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// Skipped files and the like, counted by kind.
class LeftOut {
 public:
  struct Kind {
    std::string what;     // ".gif", "hidden", "folders without an image"
    std::string example;  // the alphabetically first name
    int64_t count = 0;
    bool operator==(const Kind&) const = default;
  };

  void add(std::string_view what, std::string_view example, int64_t count = 1);
  void add(const LeftOut& more);

  // Most frequent first. Beyond 48 kinds, further kinds are counted as one.
  std::vector<Kind> kinds() const;
  int64_t count() const;  // of all kinds
  bool empty() const { return kinds_.empty(); }

 private:
  std::vector<Kind> kinds_;
};

// "13 .gif (a/x.gif), 2 hidden (.DS_Store)"; "" if empty.
std::string as_text(const LeftOut& left_out);

// The first few of the names, for a sentence.
std::string some_of(const std::vector<std::string>& names);

struct Remarks {
  LeftOut left_out;
  LeftOut left_out_of_both_splits;    // the part of left_out that both splits report
  std::vector<std::string> notes;     // which folders are the splits, which shards are held out ...
  std::vector<std::string> warnings;  // what is probably a mistake in the data
  std::string no_labels;              // why there are no classes, if so
  // Classes have only numbers, no names. Numeric folder names count as names.
  bool only_numbered = false;
  int64_t bad_labels = 0;       // images whose label is missing or invalid
  std::string first_bad_label;  // what is wrong with the first one
};

}  // namespace fcm::loader
