// UTF-8 text, character by character.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace fcm {

// Removes one character from the front of `text`, which must not be empty, and returns it. If
// `text` does not begin with valid UTF-8 (by the rules of is_utf8, text.h), returns nullopt and
// leaves `text` unchanged.
std::optional<char32_t> take_character(std::string_view& text);

// A character and its bytes within the text. An invalid byte is U+FFFD.
struct Character {
  char32_t point = 0;
  std::string_view bytes;
};
std::vector<Character> characters(std::string_view text);

}  // namespace fcm
