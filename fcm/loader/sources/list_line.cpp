#include "fcm/loader/sources/list_line.h"

#include <system_error>

#include "fcm/loader/sources/labels.h"
#include "fcm/loader/sources/picture_ending.h"

namespace fcm::loader {
namespace {

constexpr std::string_view kBlanks = " \t";

bool ends_as_picture(std::string_view path) { return is_picture_ending(ending_of(path)); }

std::string_view without_blanks_at_end(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

// The text before the first of `marks`, and behind the last.
std::string_view first_field(std::string_view text, std::string_view marks) {
  return without_blanks_at_end(text.substr(0, text.find_first_of(marks)));
}
std::string_view last_field(std::string_view text, std::string_view marks) {
  return text.substr(text.find_last_of(marks) + 1);
}

bool has_columns(std::string_view path) {
  constexpr std::string_view kCommas = ",;|";
  if (path.find_first_of(kCommas) == std::string_view::npos) return false;
  std::string_view first = first_field(path, kCommas);
  if (first.size() > 1 && first.front() == '"' && first.back() == '"') {
    first = first.substr(1, first.size() - 2);
  }
  return ends_as_picture(first) || (is_number(first) && ends_as_picture(last_field(path, kCommas)));
}

}  // namespace

ListLine parse_list_line(std::string_view line) {
  const auto cut_at = [&](size_t place) {
    return ListLine{without_blanks_at_end(line.substr(0, place)), line.substr(place + 1)};
  };
  if (const size_t tab = line.rfind('\t'); tab != std::string_view::npos) {
    const ListLine parts = cut_at(tab);
    if (ends_as_picture(parts.path) && !ends_as_picture(parts.label)) return parts;
  }
  if (const size_t blank = line.find_last_of(kBlanks); blank != std::string_view::npos) {
    const ListLine parts = cut_at(blank);
    const bool is_named = ends_as_picture(parts.path) && !ends_as_picture(parts.label);
    if (is_number(parts.label) || is_named) return parts;
  }
  return {line, {}};
}

std::string what_is_wrong(std::string_view path, const std::filesystem::path& folder) {
  std::string wrong;
  if (has_columns(path)) {
    wrong = "its columns stand between commas, wanted a blank or tab: path, then class number";
  } else if (path.front() == '"' || path.front() == '\'') {
    wrong = "its path stands in quotes, which would be part of the name; remove them";
  } else if (path.starts_with("~/")) {
    wrong = "~ is a word of the shell and means no folder here; write the whole path";
  } else if (path.find("://") != std::string_view::npos) {
    wrong = "it is a URL; pictures are read from files";
  } else if (path.find('\\') != std::string_view::npos &&
             path.find('/') == std::string_view::npos) {
    wrong = "its path is written with backslashes; write / between folders";
  } else if (path.find_first_of(kBlanks) != std::string_view::npos &&
             is_number(first_field(path, kBlanks))) {
    wrong =
        "its number stands before the path, wanted the path first and the class number behind it";
  }
  if (wrong.empty()) return wrong;
  std::error_code ignored;
  return std::filesystem::exists(folder / path, ignored) ? std::string() : wrong;
}

}  // namespace fcm::loader
