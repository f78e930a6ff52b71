// One line of a list of pictures.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fcm::loader {

struct ListLine {
  std::string_view path;
  std::string_view label;  // a number of any kind, or what may be the name of a class; empty: none
};

// "path", "path label" or "path<TAB>label", whatever the number of blanks between. A last word that
// is no number is a label only where what stands before it ends as a picture does, for paths may
// hold blanks. `line` has no blanks at its end.
ListLine parse_list_line(std::string_view line);

// Why a path cannot be meant as it stands, in a form that other programs write: columns with
// commas, quotes, backslashes, "~", URLs, the number first. "" where it can, or where such a file
// exists.
std::string what_is_wrong(std::string_view path, const std::filesystem::path& folder);

}  // namespace fcm::loader
