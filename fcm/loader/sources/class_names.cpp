#include "fcm/loader/sources/class_names.h"

#include <fmt/ranges.h>

#include <map>

#include "fcm/base/counted.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/list_line.h"

namespace fcm::loader {

void name_blank_classes(std::vector<std::string>& names, std::string_view where, Remarks& remarks) {
  std::vector<std::string> blank;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!without_blanks_around(names[i]).empty()) continue;
    names[i] = std::to_string(i);
    blank.push_back(names[i]);
  }
  if (blank.empty()) return;
  remarks.warnings.push_back(fmt::format("{} has a blank name for {} ({}): {} named by {}", where,
                                         counted(std::ssize(blank), "class", "classes"),
                                         some_of(blank),
                                         noun(std::ssize(blank), "it is", "they are"),
                                         noun(std::ssize(blank), "its number", "their numbers")));
}

void warn_of_alike_classes(const std::vector<std::string>& names, std::string_view where,
                           Remarks& remarks) {
  std::map<std::string, std::vector<size_t>, std::less<>> places;  // by plain name
  for (size_t i = 0; i < names.size(); ++i) {
    places[lower_case(without_blanks_around(names[i]))].push_back(i);
  }
  std::vector<std::string> repeated, alike;
  for (const auto& [plain, same] : places) {
    if (same.size() < 2) continue;
    std::map<std::string_view, std::vector<size_t>> exact;
    for (const size_t i : same) exact[names[i]].push_back(i);
    for (const auto& [name, classes] : exact) {
      if (classes.size() < 2) continue;
      repeated.push_back(fmt::format("\"{}\" of classes {}", name, fmt::join(classes, " and ")));
    }
    if (exact.size() < 2) continue;
    std::vector<std::string> quoted;
    for (const auto& [name, classes] : exact) quoted.push_back(fmt::format("\"{}\"", name));
    alike.push_back(fmt::format("{}", fmt::join(quoted, " and ")));
  }
  if (!repeated.empty()) {
    remarks.warnings.push_back(fmt::format(
        "{} gives several classes the same name: {}; they stay separate classes, and only their "
        "numbers tell them apart",
        where, some_of(repeated)));
  }
  if (!alike.empty()) {
    remarks.warnings.push_back(
        fmt::format("{} has classes whose names differ only in letter case or blanks: {}; they are "
                    "separate classes",
                    where, some_of(alike)));
  }
}

}  // namespace fcm::loader
