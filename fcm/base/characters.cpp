#include "fcm/base/characters.h"

#include <cstdint>

namespace fcm {

std::optional<char32_t> take_character(std::string_view& text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = byte(0) < 0x80   ? 1
                        : byte(0) < 0xc2 ? 0  // a continuation, or an overlong form
                        : byte(0) < 0xe0 ? 2
                        : byte(0) < 0xf0 ? 3
                        : byte(0) < 0xf5 ? 4
                                         : 0;
  if (length == 0 || length > text.size()) return std::nullopt;
  uint32_t point = length == 1 ? byte(0) : byte(0) & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return std::nullopt;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && point < 0x800) || (length == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  if (overlong || surrogate || point > 0x10ffff) return std::nullopt;
  text.remove_prefix(length);
  return point;
}

std::vector<Character> characters(std::string_view text) {
  constexpr char32_t kReplacement = 0xfffd;
  std::vector<Character> all;
  while (!text.empty()) {
    const std::string_view before = text;
    const std::optional<char32_t> point = take_character(text);
    if (!point) text.remove_prefix(1);
    all.push_back({point.value_or(kReplacement), before.substr(0, before.size() - text.size())});
  }
  return all;
}

}  // namespace fcm
