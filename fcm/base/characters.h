// UTF-8 text, character by character.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace fcm {

// Takes one character off the front of `text`, which is not empty; nullopt: what is there is none,
// as strictly as is_utf8 (text.h) has it, and stays.
std::optional<char32_t> take_character(std::string_view& text);

// A character and where it stands in its text. A byte that belongs to none is U+FFFD.
struct Character {
  char32_t point = 0;
  std::string_view bytes;
};
std::vector<Character> characters(std::string_view text);

}  // namespace fcm
