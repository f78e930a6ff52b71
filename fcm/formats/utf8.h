// UTF-8, as strictly as JSON wants it. Private to this folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fcm::formats {

// Shortest forms only, no surrogates, nothing beyond U+10FFFF.
bool is_utf8(std::string_view text);

// The bytes whose numbers are the code points of `text`; nullopt where one is beyond 255.
std::optional<std::string> latin1_from_utf8(std::string_view text);
std::string utf8_from_latin1(std::string_view bytes);

}  // namespace fcm::formats
