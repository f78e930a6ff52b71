// One line of a list of pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

// A path has at most 4096 bytes, and columns that are not read may stand beside it.
inline constexpr size_t kLongestLine = 65'536;

// The lines of a file, one after the other, however large it is. Lines end in a line feed; before
// Mac OS X they ended in a carriage return, which holds where no line feed is near the beginning.
class ListLines {
 public:
  explicit ListLines(const std::filesystem::path& list) : file_(list) {}

  // The next line, without its end and a mark of UTF-8 before it; it holds until the next call.
  // false: there is none. Throws Error(kData) for one that is longer than kLongestLine.
  bool next(std::string_view& line);
  int64_t number() const { return number_; }  // of the line, from 1

 private:
  bool fill();  // false: the file has no more

  RandomAccessFile file_;
  uint64_t read_ = 0;  // bytes of the file that were read
  std::string held_;
  size_t begin_ = 0;  // of the next line in held_
  char end_of_line_ = '\n';
  int64_t number_ = 0;
};

// Without blanks at both ends, those of Unicode too (no-break spaces, which web pages and
// spreadsheets leave behind); but for `kept`.
std::string_view without_blanks_around(std::string_view text, char kept = '\0');

struct ListLine {
  std::string_view path;
  std::string_view label;  // numbers of any kind, or what may be the name of a class; empty: none
};

// "path", "path label" or "path<TAB>label", whatever the number of blanks between. Last words that
// are no number are a label only where what stands before them ends as a picture does, for paths
// may hold blanks; several numbers behind such a path are one label. `line` has no blanks at its
// ends.
ListLine parse_list_line(std::string_view line);

// Of a label that is several numbers, how many: "0 1", "[0, 1]". Otherwise 0 or 1.
int64_t count_of_numbers(std::string_view label);

// Why a line cannot be meant as it stands, in a form that other programs write: JSON, columns
// without a heading. "" where it can, or where such a file exists.
std::string what_is_wrong_with_line(std::string_view line, std::string_view path,
                                    const std::filesystem::path& folder);
// The same where a word stands before a path of a picture that is there; asks the disk.
std::string what_stands_before(std::string_view path, const std::filesystem::path& folder);
// The same of a path: quotes, backslashes, "~", URLs, the number first.
std::string what_is_wrong(std::string_view path, const std::filesystem::path& folder);

// As it can stand in a message: the beginning of what is long.
std::string shortened(std::string_view line);

}  // namespace fcm::loader
