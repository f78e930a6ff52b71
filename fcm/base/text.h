// Makes text from outside (names of files, classes, tensors) safe for a message, a table or JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fcm {

// As strict as JSON requires: shortest forms only, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

// `text` with invalid bytes escaped as "\xe9".
std::string escape_non_utf8(std::string_view text);

enum class Lines { kOne, kMany };

// escape_non_utf8, and also escapes control characters, line ends (except "\n" with Lines::kMany)
// and bidirectional controls, as "\n", "\x1b", "\u202e". Idempotent.
std::string printable(std::string_view text, Lines lines = Lines::kOne);

// `text` in Latin-1, one byte per code point; nullopt if a code point is above 255 or `text` is not
// UTF-8.
std::optional<std::string> latin1_from_utf8(std::string_view text);
std::string utf8_from_latin1(std::string_view bytes);

}  // namespace fcm
