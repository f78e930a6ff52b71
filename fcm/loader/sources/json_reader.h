// A large JSON file, taken from its beginning to its end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

// The caller asks for what comes next, or passes it over. No more of the file is in memory than a
// piece of it, or its longest text; whatever is nested is followed without recursion. Numbers may
// be NaN, Infinity and -Infinity, as Python writes them. All throw Error(kData) that names the file
// and the byte where it is no JSON, or something else than was asked for.
class JsonReader {
 public:
  enum class Kind { kObject, kArray, kText, kNumber, kWord };  // kWord: true, false, null

  explicit JsonReader(const std::filesystem::path& path);

  Kind kind();  // of the next value, which stays the next
  double number();
  std::optional<int64_t> whole_number();  // a number; none: it is not whole, or beyond 64 bits
  std::string_view text();                // until the next call
  std::string_view word();                // "true", "false" or "null"
  void skip();                            // any value

  // Calls take(key) for each member of an object, which has to take the member's value; the key is
  // there until then.
  template <class Take>
  void object(const Take& take) {
    open('{', "an object");
    for (bool first = true; has_next(first, '}'); first = false) take(key());
  }
  // Calls take() for each element of an array, which has to take it.
  template <class Take>
  void array(const Take& take) {
    open('[', "a list");
    for (bool first = true; has_next(first, ']'); first = false) take();
  }
  void end();  // nothing but blanks follows

  [[noreturn]] void refuse(std::string_view why) const;

 private:
  char peek();  // the next byte that is no blank
  bool more();  // reads on behind what is there and not yet taken; false: the file has ended
  void need(size_t bytes);  // in memory, unless the file ends before
  void open(char bracket, std::string_view what);
  bool has_next(bool first, char closing);
  std::string_view key();
  void skip_scalar();
  // The byte behind the text's last one; whether there is an escape in it.
  size_t end_of_text(bool& escaped);
  std::string_view unescaped(std::string_view text);
  uint32_t code_unit(std::string_view text, size_t at) const;

  const char* at() const { return buffer_.data() + begin_; }
  const char* end_of_buffer() const { return buffer_.data() + end_; }

  RandomAccessFile file_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // of what is in memory and not yet taken
  uint64_t read_ = 0;           // bytes of the file that were in memory so far
  std::string key_, unescaped_, brackets_;
};

}  // namespace fcm::loader
