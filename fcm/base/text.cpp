#include "fcm/base/text.h"

#include <fmt/format.h>

#include <cstdint>

#include "fcm/base/characters.h"

namespace fcm {
namespace {

bool is_control(uint32_t point) { return point < 0x20 || (point >= 0x7f && point < 0xa0); }

// Unicode line separators and bidirectional controls, which break a line or change a terminal's
// writing direction.
bool is_layout(uint32_t point) {
  return point == 0x2028 || point == 0x2029 || (point >= 0x202a && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069);
}

std::string escaped(uint32_t point) {
  switch (point) {
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      return point < 0x80 ? fmt::format("\\x{:02x}", point) : fmt::format("\\u{:04x}", point);
  }
}

// `text` with these escaped: invalid bytes, and characters for which `is_hidden` holds.
template <class IsHidden>
std::string escape(std::string_view text, const IsHidden& is_hidden) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    if (const std::optional<char32_t> point = take_character(text)) {
      if (is_hidden(*point)) {
        result += escaped(*point);
      } else {
        result += before.substr(0, before.size() - text.size());
      }
    } else {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
      text.remove_prefix(1);
    }
  }
  return result;
}

}  // namespace

std::string escape_non_utf8(std::string_view text) {
  return escape(text, [](uint32_t) { return false; });
}

std::string printable(std::string_view text, Lines lines) {
  return escape(text, [&](uint32_t point) {
    if (point == '\n') return lines == Lines::kOne;
    return is_control(point) || is_layout(point);
  });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    if (!take_character(text)) return false;
  }
  return true;
}

std::optional<std::string> latin1_from_utf8(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    const std::optional<char32_t> point = take_character(text);
    if (!point || *point > 0xff) return std::nullopt;
    bytes += static_cast<char>(*point);
  }
  return bytes;
}

std::string utf8_from_latin1(std::string_view bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    if (byte < 0x80) {
      text += static_cast<char>(byte);
    } else {
      text += static_cast<char>(0xc0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return text;
}

}  // namespace fcm
