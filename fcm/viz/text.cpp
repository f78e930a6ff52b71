#include "fcm/viz/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fcm::viz {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr std::string_view kNarrowSpace = "\xE2\x80\xAF";  // U+202F, does not break
constexpr const char* kNothing = "–";

// Length of the code point at the start of the text; 0 if it is not UTF-8 or XML forbids it.
size_t code_point_bytes(std::string_view text) {
  const auto byte = [&](size_t at) {
    return static_cast<uint32_t>(static_cast<uint8_t>(text[at]));
  };
  const uint32_t first = byte(0);
  if (first < 0x80) {
    return first >= 0x20 || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
  }
  const size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  uint32_t code = first & (0x7Fu >> size);
  for (size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(at) & 0x3F);
  }
  constexpr std::array<uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  const bool allowed =
      code >= kLeast[size] && code <= 0x10FFFF && !surrogate && code != 0xFFFE && code != 0xFFFF;
  return allowed ? size : 0;
}

// 12345.6 -> "12 345.6": groups the digits before the point.
std::string group_thousands(std::string digits) {
  const size_t first = digits.starts_with('-') ? 1 : 0;
  size_t at = std::min(digits.find('.'), digits.size());
  while (at > first + 3) {
    at -= 3;
    digits.insert(at, kNarrowSpace);
  }
  return digits;
}

std::string strip_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  while (digits.back() == '0') digits.pop_back();
  if (digits.back() == '.') digits.pop_back();
  return digits == "-0" ? "0" : digits;
}

// Three significant digits, with the unit in which the value is below `step`.
template <size_t N>
std::string with_unit(double value, double step, const std::array<const char*, N>& units) {
  size_t unit = 0;
  while (unit + 1 < N && std::abs(value) >= step * 0.9995) {
    value /= step;
    ++unit;
  }
  const double size = std::abs(value);
  const int decimals = unit == 0 && value == std::round(value) ? 0
                       : size < 9.995                          ? 2
                       : size < 99.95                          ? 1
                                                               : 0;
  return strip_zeros(fmt::format("{:.{}f}", value, decimals)) + units[unit];
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t bytes = code_point_bytes(text);
    switch (text[0]) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += bytes == 0 ? kReplacement : text.substr(0, bytes);
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return out;
}

std::string base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t start = 0; start < bytes.size(); start += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - start);
    uint32_t group = 0;
    for (size_t at = 0; at < 3; ++at) {
      group = group << 8 | (at < count ? bytes[start + at] : 0u);
    }
    for (size_t letter = 0; letter < 4; ++letter) {
      out += letter <= count ? kLetters[group >> (18 - 6 * letter) & 63] : '=';
    }
  }
  return out;
}

std::string format_count(double value) {
  if (!std::isfinite(value)) return kNothing;
  if (std::abs(value) >= 1e15) return fmt::format("{:.3e}", value);
  return group_thousands(strip_zeros(fmt::format("{:.1f}", std::round(value))));
}

std::string format_value(double value, int digits) {
  if (!std::isfinite(value)) return kNothing;
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e7) {
    std::string text = fmt::format("{:.{}e}", value, digits - 1);
    const size_t e = text.find('e');
    const int exponent = std::stoi(text.substr(e + 1));
    return strip_zeros(text.substr(0, e)) + fmt::format("e{}", exponent);
  }
  const int before = static_cast<int>(std::floor(std::log10(size))) + 1;
  return group_thousands(strip_zeros(fmt::format("{:.{}f}", value, std::max(0, digits - before))));
}

std::string format_short(double value) {
  if (!std::isfinite(value)) return kNothing;
  if (std::abs(value) >= 1e18) return format_value(value, 3);
  return with_unit(value, 1000, std::array{"", " k", " M", " G", " T", " P"});
}

std::string format_bytes(double bytes) {
  if (!std::isfinite(bytes)) return kNothing;
  return with_unit(bytes, 1024, std::array{" B", " KiB", " MiB", " GiB", " TiB", " PiB"});
}

std::string format_seconds(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return kNothing;
  if (seconds < 9.95) return strip_zeros(fmt::format("{:.1f}", seconds)) + " s";
  if (seconds >= 1e12) return format_value(seconds, 3) + " s";
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

}  // namespace fcm::viz
