// A streaming reader for large JSON files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/loader/sources/random_access_file.h"

namespace fcm::loader {

// The caller reads or skips one value after the other. Memory holds one chunk of the file, or the
// longest string of the file if that is larger. skip() uses no recursion, so deep nesting cannot
// overflow the stack. Numbers may be NaN, Infinity and -Infinity, as Python writes them. All
// functions throw Error(kData) that names file and byte if the text is not JSON or the next value
// is not of the requested kind.
class JsonReader {
 public:
  enum class Kind { kObject, kArray, kText, kNumber, kWord };  // kWord: true, false, null

  explicit JsonReader(const std::filesystem::path& path);

  Kind kind();  // of the next value, which is not consumed
  double number();
  std::optional<int64_t> whole_number();  // nullopt: not an integer, or too large
  std::string_view text();                // valid until the next call
  std::string_view word();                // "true", "false" or "null"
  void skip();                            // any value

  // Calls take(key) for each member of an object; take must consume the member's value. The key is
  // valid until then.
  template <class Take>
  void object(const Take& take) {
    open('{', "an object");
    for (bool first = true; has_next(first, '}'); first = false) take(key());
  }
  // Calls take() for each element of an array; take must consume it.
  template <class Take>
  void array(const Take& take) {
    open('[', "a list");
    for (bool first = true; has_next(first, ']'); first = false) take();
  }
  void end();  // requires that only whitespace follows

  [[noreturn]] void refuse(std::string_view why) const;

 private:
  [[noreturn]] void refuse_value() const;  // at the file's beginning, says what the file is
  char peek();                             // the next byte that is not whitespace
  bool more();              // appends a chunk to the unconsumed bytes; false: end of the file
  void need(size_t bytes);  // makes that many bytes available, or all that the file still has
  void open(char bracket, std::string_view what);
  bool has_next(bool first, char closing);
  std::string_view key();
  void skip_scalar();
  // The index of the closing quote; `escaped` tells whether the string contains an escape.
  size_t end_of_text(bool& escaped);
  std::string_view unescaped(std::string_view text);
  uint32_t code_unit(std::string_view text, size_t at) const;

  const char* at() const { return buffer_.data() + begin_; }
  const char* end_of_buffer() const { return buffer_.data() + end_; }

  RandomAccessFile file_;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // the unconsumed bytes of buffer_
  uint64_t read_ = 0;           // bytes of the file read so far
  std::string key_, unescaped_, brackets_;
};

}  // namespace fcm::loader
