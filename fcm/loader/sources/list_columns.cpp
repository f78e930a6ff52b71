#include "fcm/loader/sources/list_columns.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/list_line.h"

namespace fcm::loader {
namespace {

// Column names in the form that bare_name returns, in order of preference.
constexpr std::array<std::string_view, 20> kPathNames{
    "path",      "paths",   "filepath",  "imagepath",     "imgpath", "filename", "filenames",
    "imagename", "imgname", "imagefile", "imagefilename", "imgfile", "file",     "files",
    "image",     "images",  "img",       "picture",       "imageid", "imgid"};
constexpr std::array<std::string_view, 18> kLabelNames{
    "label",      "class",     "target",    "category",     "labels",     "classes",
    "targets",    "classname", "labelname", "categoryname", "labelid",    "classid",
    "categoryid", "labelidx",  "classidx",  "classindex",   "labelindex", "y"};
constexpr std::array<std::string_view, 6> kSplitNames{"split", "set",       "subset",
                                                      "fold",  "partition", "datasplit"};

// The name without case and separators: "Image Path" and "image_path" become "imagepath".
std::string bare_name(std::string_view name) {
  std::string bare = lower_case(name);
  std::erase_if(bare, [](char letter) { return letter == '_' || letter == '-' || letter == ' '; });
  return bare;
}

template <class Words>
size_t rank_of_name(const Words& words, std::string_view name) {
  const std::string bare = bare_name(name);
  return static_cast<size_t>(std::ranges::find(words, bare) - words.begin());
}

// The column whose name comes first in `words`.
template <class Words>
std::optional<size_t> column_of(const std::vector<std::string>& names, const Words& words) {
  const auto best = std::ranges::min_element(
      names, {}, [&](const std::string& name) { return rank_of_name(words, name); });
  if (best == names.end() || rank_of_name(words, *best) == words.size()) return std::nullopt;
  return static_cast<size_t>(best - names.begin());
}

}  // namespace

std::optional<std::vector<std::string>> fields_of(std::string_view line, char mark) {
  std::vector<std::string> fields;
  while (true) {
    line = without_blanks_around(line, mark);
    std::string field;
    if (line.starts_with('"')) {
      size_t at = 1;
      for (;; ++at) {
        if (at >= line.size()) return std::nullopt;
        if (line[at] == '"' && line.substr(at + 1).starts_with('"')) {
          ++at;
        } else if (line[at] == '"') {
          break;
        }
        field += line[at];
      }
      line.remove_prefix(at + 1);
    }
    const size_t end = line.find(mark);
    field += without_blanks_around(line.substr(0, end), mark);
    fields.push_back(std::move(field));
    if (end == std::string_view::npos) return fields;
    line.remove_prefix(end + 1);
  }
}

std::optional<ListColumns> ListColumns::of_heading(std::string_view line) {
  for (const char mark : {',', ';', '\t', '|'}) {
    if (line.find(mark) == std::string_view::npos) continue;
    const auto fields = fields_of(line, mark);
    if (!fields) continue;
    const auto is_image = [](const std::string& field) {
      return is_image_ending(ending_of(field));
    };
    const auto path = column_of(*fields, kPathNames);
    if (!path || std::ranges::any_of(*fields, is_image)) continue;
    ListColumns columns;
    columns.mark_ = mark;
    columns.names_ = *fields;
    columns.path_ = *path;
    columns.label_ = column_of(*fields, kLabelNames);
    if (columns.label_ && std::ranges::count(*fields, (*fields)[*columns.label_]) > 1) {
      columns.label_.reset();
    }
    return columns;
  }
  return std::nullopt;
}

ListColumns::Row ListColumns::row_of(std::string_view line) const {
  std::optional<std::vector<std::string>> fields = fields_of(line, mark_);
  if (!fields) return {{}, {}, "it has an unterminated quote"};
  while (fields->size() > names_.size() && fields->back().empty()) fields->pop_back();
  if (fields->size() != names_.size()) {
    return {
        {},
        {},
        fmt::format("it has {} columns, but the heading has {}", fields->size(), names_.size())};
  }
  Row row{(*fields)[path_], label_ ? (*fields)[*label_] : std::string(), {}};
  if (row.path.empty()) row.fault = fmt::format("its column \"{}\" is empty", names_[path_]);
  return row;
}

std::string ListColumns::as_text() const {
  std::vector<std::string> unused;
  std::string split;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (i == path_ || i == label_) continue;
    unused.push_back(fmt::format("\"{}\"", names_[i]));
    if (rank_of_name(kSplitNames, names_[i]) < kSplitNames.size()) split = unused.back();
  }
  std::string text = fmt::format("paths are in the column \"{}\", ", names_[path_]);
  text += label_ ? fmt::format("labels in \"{}\"", names_[*label_])
                 : "no column, or more than one, holds labels";
  if (!unused.empty()) text += fmt::format("; not read: {}", fmt::join(unused, ", "));
  if (!split.empty()) {
    text += fmt::format("; every line is used for both splits, regardless of its {}", split);
  }
  return text;
}

bool is_name_of_paths(std::string_view line) {
  const auto fields = fields_of(line, '\0');
  return fields && rank_of_name(kPathNames, fields->front()) < kPathNames.size();
}

}  // namespace fcm::loader
