// Lines of a list of images.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

// A path has at most 4096 bytes; a line may also have columns that are not read.
inline constexpr size_t kLongestLine = 65'536;

// Reads a file of any size line by line. Lines end in a line feed; if the beginning of the file has
// none, in a carriage return (the convention before Mac OS X).
class ListLines {
 public:
  explicit ListLines(const std::filesystem::path& list) : file_(list) {}

  // The next line, without line end and byte order mark; valid until the next call. Returns false
  // at the end. Throws Error(kData) for a line longer than kLongestLine.
  bool next(std::string_view& line);
  int64_t number() const { return number_; }  // of the last line, from 1

 private:
  bool fill();  // false: end of the file

  RandomAccessFile file_;
  uint64_t read_ = 0;  // bytes of the file read so far
  std::string held_;
  size_t begin_ = 0;  // of the next line in held_
  char end_of_line_ = '\n';
  int64_t number_ = 0;
};

// `text` without blanks at both ends, except `kept`. Unicode blanks count, such as the no-break
// spaces that web pages and spreadsheets leave behind.
std::string_view without_blanks_around(std::string_view text, char kept = '\0');

struct ListLine {
  std::string_view path;
  std::string_view label;  // numbers, or a possible class name; empty: none
};

// Parses "path", "path label" or "path<TAB>label", with any number of blanks between. Since paths
// may contain blanks, last words that are not numbers are a label only if the text before them ends
// in an image extension. Several numbers after such a path are one label. `line` has no blanks at
// its ends.
ListLine parse_list_line(std::string_view line);

// How many numbers a label consists of: 2 for "0 1" or "[0, 1]"; 0 if it contains anything else.
int64_t count_of_numbers(std::string_view label);

// What is wrong with a line in a format of another program: JSON, columns without a heading. "" for
// other lines, or if the file exists.
std::string what_is_wrong_with_line(std::string_view line, std::string_view path,
                                    const std::filesystem::path& folder);
// The same for a word before the path of an existing file; accesses the disk.
std::string what_stands_before(std::string_view path, const std::filesystem::path& folder);
// The same for a path: quotes, backslashes, "~", URLs, the number first.
std::string what_is_wrong(std::string_view path, const std::filesystem::path& folder);

// For messages: of a long line only the beginning.
std::string shortened(std::string_view line);

}  // namespace fcm::loader
