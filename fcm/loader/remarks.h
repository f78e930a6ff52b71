// What opening a set found beside its pictures: what it passed over and what it took for granted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fcm::loader {

// What was passed over, counted by kind.
class LeftOut {
 public:
  struct Kind {
    std::string what;     // ".gif", "hidden", "folders without a picture"
    std::string example;  // of the names, the first in the alphabet
    int64_t count = 0;
    bool operator==(const Kind&) const = default;
  };

  void add(std::string_view what, std::string_view example, int64_t count = 1);
  void add(const LeftOut& more);

  // Most frequent first. Beyond some dozens of kinds the rest is one.
  std::vector<Kind> kinds() const;
  int64_t count() const;  // of all kinds
  bool empty() const { return kinds_.empty(); }

 private:
  std::vector<Kind> kinds_;
};

// "13 .gif (a/x.gif), 2 hidden (.DS_Store)"; "" where there is nothing.
std::string as_text(const LeftOut& left_out);

// The first few of the names, for a sentence.
std::string some_of(const std::vector<std::string>& names);

struct Remarks {
  LeftOut left_out;
  LeftOut beside;                  // of these, what lies beside both splits and is told of each
  std::vector<std::string> notes;  // which folders are the splits, which shards are held out ...
  std::string no_labels;           // why there are no classes, where there are none
  bool only_numbered = false;      // classes go by the numbers that labels are, for want of names;
                                   // folders that are called by numbers have names
  int64_t bad_labels = 0;          // pictures whose label is missing or cannot be used
  std::string first_bad_label;     // what is wrong with the first of them
};

}  // namespace fcm::loader
