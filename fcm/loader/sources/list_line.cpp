#include "fcm/loader/sources/list_line.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "fcm/base/error.h"
#include "fcm/loader/sources/image_ending.h"
#include "fcm/loader/sources/labels.h"

namespace fcm::loader {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kMarkOfUtf8 = "\xEF\xBB\xBF";
// No-break, narrow no-break and ideographic space, zero-width space and byte order mark.
constexpr std::array<std::string_view, 5> kWideBlanks{"\xC2\xA0", "\xE2\x80\xAF", "\xE3\x80\x80",
                                                      "\xE2\x80\x8B", kMarkOfUtf8};

bool ends_as_image(std::string_view path) { return is_image_ending(ending_of(path)); }

// The size in bytes of the blank that begins or ends the text; 0: there is none.
size_t blank_at_begin(std::string_view text) {
  if (!text.empty() && kBlanks.find(text.front()) != std::string_view::npos) return 1;
  for (const std::string_view blank : kWideBlanks) {
    if (text.starts_with(blank)) return blank.size();
  }
  return 0;
}
size_t blank_at_end(std::string_view text) {
  if (!text.empty() && kBlanks.find(text.back()) != std::string_view::npos) return 1;
  for (const std::string_view blank : kWideBlanks) {
    if (text.ends_with(blank)) return blank.size();
  }
  return 0;
}

// Splits off the last word as the label. Empty if the line has only one word.
ListLine cut_at_last_blank(std::string_view line) {
  for (size_t size = line.size(); size > 0; --size) {
    const std::string_view before = line.substr(0, size);
    if (blank_at_end(before) > 0) return {without_blanks_around(before), line.substr(size)};
  }
  return {};
}

// Splits the line after the first word with an image extension that is followed only by words
// without an image extension and without a slash.
ListLine cut_behind_image(std::string_view line) {
  ListLine best;
  for (ListLine parts = cut_at_last_blank(line); !parts.path.empty();
       parts = cut_at_last_blank(parts.path)) {
    if (ends_as_image(parts.label) || parts.label.find('/') != std::string_view::npos) break;
    if (ends_as_image(parts.path)) {
      const auto begin = static_cast<size_t>(parts.label.data() - line.data());
      best = {parts.path, line.substr(begin)};
    }
  }
  return best;
}

const char* name_of(char mark) {
  return mark == ',' ? "commas" : mark == ';' ? "semicolons" : mark == '|' ? "bars" : "tabs";
}

// The separator between columns, if one of them has an image extension; 0: none.
char mark_of_columns(std::string_view line) {
  for (const char mark : {',', ';', '|', '\t'}) {
    if (line.find(mark) == std::string_view::npos) continue;
    for (size_t begin = 0; begin <= line.size();) {
      const size_t end = std::min(line.find(mark, begin), line.size());
      std::string_view field = without_blanks_around(line.substr(begin, end - begin));
      while (!field.empty() && (field.back() == '"' || field.back() == '\'')) {
        field.remove_suffix(1);
      }
      if (ends_as_image(field)) return mark;
      begin = end + 1;
    }
  }
  return 0;
}

bool exists_as(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

bool is_quoted(std::string_view path) {
  constexpr std::array<std::string_view, 5> kQuotes{"\"", "'", "\xE2\x80\x9C", "\xE2\x80\x98",
                                                    "\xC2\xAB"};
  return std::ranges::any_of(kQuotes,
                             [&](std::string_view quote) { return path.starts_with(quote); });
}

}  // namespace

bool ListLines::fill() {
  constexpr uint64_t kStep = 1 << 18;
  const uint64_t step = std::min(kStep, file_.size() - read_);
  if (step == 0) return false;
  held_.erase(0, std::exchange(begin_, 0));
  const size_t before = held_.size();
  held_.resize(before + step);
  file_.read(read_, {reinterpret_cast<uint8_t*>(held_.data()) + before, step});
  if (read_ == 0) {
    const bool is_old =
        held_.find('\n') == std::string::npos && held_.find('\r') != std::string::npos;
    end_of_line_ = is_old ? '\r' : '\n';
  }
  read_ += step;
  return true;
}

bool ListLines::next(std::string_view& line) {
  size_t end = held_.find(end_of_line_, begin_);
  while (end == std::string::npos) {
    const size_t seen = held_.size() - begin_;
    if (seen > kLongestLine || !fill()) break;
    end = held_.find(end_of_line_, begin_ + seen);
  }
  if (begin_ == held_.size() && end == std::string::npos) return false;
  ++number_;
  const size_t size = std::min(end, held_.size()) - begin_;
  if (size > kLongestLine) {
    fail(ExitCode::kData,
         "{} line {} is longer than {} bytes, the limit for a line of a list; is this a list of "
         "images?",
         file_.path().string(), number_, kLongestLine);
  }
  line = std::string_view(held_).substr(begin_, size);
  if (line.starts_with(kMarkOfUtf8)) line.remove_prefix(kMarkOfUtf8.size());
  begin_ = std::min(begin_ + size + 1, held_.size());
  return true;
}

std::string_view without_blanks_around(std::string_view text, char kept) {
  for (size_t blank = blank_at_begin(text); blank > 0 && text.front() != kept;
       blank = blank_at_begin(text)) {
    text.remove_prefix(blank);
  }
  for (size_t blank = blank_at_end(text); blank > 0 && text.back() != kept;
       blank = blank_at_end(text)) {
    text.remove_suffix(blank);
  }
  return text;
}

ListLine parse_list_line(std::string_view line) {
  if (const size_t tab = line.rfind('\t'); tab != std::string_view::npos) {
    const ListLine parts{without_blanks_around(line.substr(0, tab)),
                         without_blanks_around(line.substr(tab + 1))};
    if (ends_as_image(parts.path) && !ends_as_image(parts.label)) return parts;
  }
  const ListLine parts = cut_at_last_blank(line);
  if (parts.path.empty()) return {line, {}};
  if (ends_as_image(parts.path) && !ends_as_image(parts.label)) return parts;
  if (const ListLine behind = cut_behind_image(line); !behind.path.empty()) return behind;
  return is_number(parts.label) ? parts : ListLine{line, {}};
}

int64_t count_of_numbers(std::string_view label) {
  constexpr std::string_view kBetween = " \t,;|[]()";
  int64_t count = 0;
  while (true) {
    label.remove_prefix(std::min(label.find_first_not_of(kBetween), label.size()));
    if (label.empty()) return count;
    const std::string_view word = label.substr(0, label.find_first_of(kBetween));
    if (!is_number(word)) return 0;
    ++count;
    label.remove_prefix(word.size());
  }
}

std::string line_fault(std::string_view line, std::string_view path,
                       const std::filesystem::path& folder) {
  constexpr std::string_view kWanted =
      "expected the path, then a blank or tab and the class number; or a first line that names the "
      "columns (path, label)";
  if (line.starts_with("{") || line.starts_with("[")) {
    if (line.find('"') == std::string_view::npos || exists_as(folder / path)) return "";
    return fmt::format("it is JSON; {}", kWanted);
  }
  const char mark = mark_of_columns(path);
  const bool is_number_first = is_number(path.substr(0, path.find_first_of(kBlanks)));
  if (mark == 0 || (mark == '\t' && is_number_first) || exists_as(folder / path)) return "";
  return fmt::format("its columns are separated by {}; {}", name_of(mark), kWanted);
}

std::string word_before_path_fault(std::string_view path, const std::filesystem::path& folder) {
  const size_t blank = path.find_first_of(kBlanks);
  if (blank == std::string_view::npos || exists_as(folder / path)) return "";
  if (!exists_as(folder / without_blanks_around(path.substr(blank)))) return "";
  return fmt::format("\"{}\" precedes the path; expected the path first, then the label",
                     path.substr(0, blank));
}

std::string path_fault(std::string_view path, const std::filesystem::path& folder) {
  std::string wrong;
  if (is_quoted(path)) {
    wrong = "its path is in quotes, which would be part of the name; remove them";
  } else if (path.starts_with("~/")) {
    wrong = "only shells expand ~; write the full path";
  } else if (path.find("://") != std::string_view::npos) {
    wrong = "it is a URL; images are read from files";
  } else if (path.find('\\') != std::string_view::npos &&
             path.find('/') == std::string_view::npos) {
    wrong = "its path is written with backslashes; write / between folders";
  } else if (const size_t blank = path.find_first_of(kBlanks);
             blank != std::string_view::npos && is_number(path.substr(0, blank))) {
    wrong = "its number precedes the path; expected the path first, then the class number";
  }
  return wrong.empty() || exists_as(folder / path) ? std::string() : wrong;
}

std::string shortened(std::string_view line) {
  constexpr size_t kShown = 120;
  if (line.size() <= kShown) return std::string(line);
  return fmt::format("{}... ({} bytes)", line.substr(0, kShown), line.size());
}

}  // namespace fcm::loader
