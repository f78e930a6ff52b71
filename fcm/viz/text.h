// Text for pages and charts: escaping, base64, human-readable numbers.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fcm::viz {

// Escapes text for XML and HTML, inside elements and inside attributes with either quote. Bytes
// that are not UTF-8, and control characters that XML forbids, become U+FFFD.
std::string escape(std::string_view text);

// RFC 4648, with padding, without line breaks.
std::string base64(std::span<const uint8_t> bytes);

// "60 000", with narrow no-break spaces; "–" for a non-finite number.
std::string format_count(double value);

// At most `digits` significant digits, without trailing zeros: "0.5312", "12.4", "1.5e-4", "1 234";
// "–" for a non-finite number.
std::string format_value(double value, int digits = 4);

// "941", "12.3 k", "7.14 M", "86.1 M", "1.2 G".
std::string format_short(double value);

// "0.8 s", "42 s", "2 min 41 s", "3 h 05 min", "2 d 4 h".
std::string format_seconds(double seconds);

// "512 KiB", "1.21 GiB".
std::string format_bytes(double bytes);

}  // namespace fcm::viz
