// Serialisation of numbers and names as little-endian bytes, for this program's own files.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "fcm/base/error.h"

namespace fcm::loader {

static_assert(std::endian::native == std::endian::little);

class ByteWriter {
 public:
  template <class Number>
  void number(Number value) {
    static_assert(std::is_integral_v<Number>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view text) {  // 32-bit length, then the bytes
    number(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  void raw(std::string_view bytes) { bytes_ += bytes; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what ByteWriter wrote. Every read throws Error(kData) if too few bytes are left.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  template <class Number>
  Number number() {
    static_assert(std::is_integral_v<Number>);
    Number value;
    std::memcpy(&value, raw(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() { return raw(number<uint32_t>()); }
  std::string_view raw(uint64_t size) {
    if (size > left_.size()) fail(ExitCode::kData, "{} bytes are missing", size - left_.size());
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return bytes;
  }
  size_t left() const { return left_.size(); }
  void need_end() const {
    if (!left_.empty()) fail(ExitCode::kData, "{} bytes too many", left_.size());
  }

 private:
  std::string_view left_;
};

}  // namespace fcm::loader
