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

// Reads a file of any size line by line. Lines end in a line feed. If the first 256 KiB contain
// carriage returns but no line feed, lines end in a carriage return (as before Mac OS X).
class ListLines {
 public:
  explicit ListLines(const std::filesystem::path& list) : file_(list) {}

  // Sets `line` to the next line, without line end and byte order mark; valid until the next call.
  // Returns false at the end. Throws Error(kData) for a line longer than kLongestLine.
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

// `text` without blanks at both ends; the character `kept` is not removed. Unicode blanks are
// removed too, such as the no-break spaces that come from web pages and spreadsheets.
std::string_view without_blanks_around(std::string_view text, char kept = '\0');

struct ListLine {
  std::string_view path;
  std::string_view label;  // numbers, or a possible class name; empty: none
};

// Parses "path", "path label" or "path<TAB>label", with any number of blanks between. Since paths
// may contain blanks, a last word that is not a number is a label only if the text before it ends
// in an image extension. All words after such a path are one label. `line` must have no blanks at
// its ends.
ListLine parse_list_line(std::string_view line);

// How many numbers a label consists of: 2 for "0 1" or "[0, 1]"; 0 if it contains anything else.
int64_t count_of_numbers(std::string_view label);

// Says what is wrong with a line in the format of another program: JSON, or columns without a
// heading. "" for other lines, or if folder / path exists.
std::string line_fault(std::string_view line, std::string_view path,
                       const std::filesystem::path& folder);
// Says that a word precedes the path, if the path without its first word exists; "" otherwise.
// Accesses the disk.
std::string word_before_path_fault(std::string_view path, const std::filesystem::path& folder);
// Says what is wrong with a path: quotes, backslashes, "~", a URL, a number before it. "" if
// nothing is, or if folder / path exists.
std::string path_fault(std::string_view path, const std::filesystem::path& folder);

// The line for a message; only the beginning of a long line.
std::string shortened(std::string_view line);

}  // namespace fcm::loader
