// Text whose bytes come from outside (names of files, of classes, of tensors), made fit for a
// message, a table or JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fcm {

// As strictly as JSON wants it: shortest forms only, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

// `text` with "\xe9" in place of every byte that belongs to no character.
std::string escape_non_utf8(std::string_view text);

enum class Lines { kOne, kMany };

// The same; and what ends a line (unless there may be many), moves a terminal's cursor or turns the
// direction of writing is written "\n", "\x1b", "\u202e". What was made printable stays as it is.
std::string printable(std::string_view text, Lines lines = Lines::kOne);

// The bytes whose numbers are the code points of `text`; nullopt where one is beyond 255.
std::optional<std::string> latin1_from_utf8(std::string_view text);
std::string utf8_from_latin1(std::string_view bytes);

}  // namespace fcm
