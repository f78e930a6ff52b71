#include "fcm/viz/font.h"

#include <algorithm>
#include <utility>

#include "fcm/base/error.h"

namespace fcm::viz {

namespace {

using Glyph = std::array<uint8_t, kGlyphRows>;

constexpr int kFirst = 32;
constexpr int kLast = 126;

// One line a character, top row first. Letters with a tail are drawn from their x-height down and
// hang below the line by as much (drop_of).
constexpr std::array<Glyph, kLast - kFirst + 1> kGlyphs{{
    {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000},  // blank
    {0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00000, 0b00100},  // !
    {0b01010, 0b01010, 0b01010, 0b00000, 0b00000, 0b00000, 0b00000},  // "
    {0b01010, 0b01010, 0b11111, 0b01010, 0b11111, 0b01010, 0b01010},  // #
    {0b00100, 0b01111, 0b10100, 0b01110, 0b00101, 0b11110, 0b00100},  // $
    {0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011},  // %
    {0b01000, 0b10100, 0b10100, 0b01000, 0b10101, 0b10010, 0b01101},  // &
    {0b00100, 0b00100, 0b01000, 0b00000, 0b00000, 0b00000, 0b00000},  // '
    {0b00010, 0b00100, 0b01000, 0b01000, 0b01000, 0b00100, 0b00010},  // (
    {0b01000, 0b00100, 0b00010, 0b00010, 0b00010, 0b00100, 0b01000},  // )
    {0b00000, 0b00100, 0b10101, 0b01110, 0b10101, 0b00100, 0b00000},  // *
    {0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000},  // +
    {0b00000, 0b00000, 0b00000, 0b00000, 0b00110, 0b00100, 0b01000},  // ,
    {0b00000, 0b00000, 0b00000, 0b01110, 0b00000, 0b00000, 0b00000},  // -
    {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00110, 0b00110},  // .
    {0b00001, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b10000},  // /
    {0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110},  // 0
    {0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110},  // 1
    {0b01110, 0b10001, 0b00001, 0b00110, 0b01000, 0b10000, 0b11111},  // 2
    {0b11110, 0b00001, 0b00001, 0b01110, 0b00001, 0b00001, 0b11110},  // 3
    {0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010},  // 4
    {0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110},  // 5
    {0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110},  // 6
    {0b11111, 0b00001, 0b00010, 0b00100, 0b00100, 0b01000, 0b01000},  // 7
    {0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110},  // 8
    {0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100},  // 9
    {0b00000, 0b00110, 0b00110, 0b00000, 0b00110, 0b00110, 0b00000},  // :
    {0b00000, 0b00110, 0b00110, 0b00000, 0b00110, 0b00100, 0b01000},  // ;
    {0b00010, 0b00100, 0b01000, 0b10000, 0b01000, 0b00100, 0b00010},  // <
    {0b00000, 0b00000, 0b11111, 0b00000, 0b11111, 0b00000, 0b00000},  // =
    {0b01000, 0b00100, 0b00010, 0b00001, 0b00010, 0b00100, 0b01000},  // >
    {0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b00000, 0b00100},  // ?
    {0b01110, 0b10001, 0b10111, 0b10101, 0b10111, 0b10000, 0b01111},  // @
    {0b00100, 0b01010, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001},  // A
    {0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110},  // B
    {0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110},  // C
    {0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110},  // D
    {0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111},  // E
    {0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000},  // F
    {0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111},  // G
    {0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001},  // H
    {0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110},  // I
    {0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100},  // J
    {0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001},  // K
    {0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111},  // L
    {0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001},  // M
    {0b10001, 0b11001, 0b11001, 0b10101, 0b10011, 0b10011, 0b10001},  // N
    {0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110},  // O
    {0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000},  // P
    {0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101},  // Q
    {0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001},  // R
    {0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110},  // S
    {0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100},  // T
    {0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110},  // U
    {0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b01010, 0b00100},  // V
    {0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001},  // W
    {0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001},  // X
    {0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100},  // Y
    {0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111},  // Z
    {0b01110, 0b01000, 0b01000, 0b01000, 0b01000, 0b01000, 0b01110},  // [
    {0b10000, 0b10000, 0b01000, 0b00100, 0b00010, 0b00001, 0b00001},  // backslash
    {0b01110, 0b00010, 0b00010, 0b00010, 0b00010, 0b00010, 0b01110},  // ]
    {0b00100, 0b01010, 0b10001, 0b00000, 0b00000, 0b00000, 0b00000},  // ^
    {0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b11111},  // _
    {0b01000, 0b00100, 0b00010, 0b00000, 0b00000, 0b00000, 0b00000},  // `
    {0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111},  // a
    {0b10000, 0b10000, 0b11110, 0b10001, 0b10001, 0b10001, 0b11110},  // b
    {0b00000, 0b00000, 0b01111, 0b10000, 0b10000, 0b10000, 0b01111},  // c
    {0b00001, 0b00001, 0b01111, 0b10001, 0b10001, 0b10001, 0b01111},  // d
    {0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110},  // e
    {0b00110, 0b01001, 0b01000, 0b11100, 0b01000, 0b01000, 0b01000},  // f
    {0b01111, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110},  // g
    {0b10000, 0b10000, 0b11110, 0b10001, 0b10001, 0b10001, 0b10001},  // h
    {0b00100, 0b00000, 0b01100, 0b00100, 0b00100, 0b00100, 0b01110},  // i
    {0b00010, 0b00000, 0b00110, 0b00010, 0b00010, 0b10010, 0b01100},  // j
    {0b01000, 0b01000, 0b01001, 0b01010, 0b01100, 0b01010, 0b01001},  // k
    {0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110},  // l
    {0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101},  // m
    {0b00000, 0b00000, 0b11110, 0b10001, 0b10001, 0b10001, 0b10001},  // n
    {0b00000, 0b00000, 0b01110, 0b10001, 0b10001, 0b10001, 0b01110},  // o
    {0b11110, 0b10001, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000},  // p
    {0b01111, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b00001},  // q
    {0b00000, 0b00000, 0b10111, 0b11000, 0b10000, 0b10000, 0b10000},  // r
    {0b00000, 0b00000, 0b01111, 0b10000, 0b01110, 0b00001, 0b11110},  // s
    {0b01000, 0b01000, 0b11110, 0b01000, 0b01000, 0b01001, 0b00110},  // t
    {0b00000, 0b00000, 0b10001, 0b10001, 0b10001, 0b10001, 0b01111},  // u
    {0b00000, 0b00000, 0b10001, 0b10001, 0b01010, 0b01010, 0b00100},  // v
    {0b00000, 0b00000, 0b10101, 0b10101, 0b10101, 0b10101, 0b01010},  // w
    {0b00000, 0b00000, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001},  // x
    {0b10001, 0b10001, 0b10001, 0b10001, 0b01111, 0b00001, 0b01110},  // y
    {0b00000, 0b00000, 0b11111, 0b00010, 0b00100, 0b01000, 0b11111},  // z
    {0b00011, 0b00100, 0b00100, 0b01000, 0b00100, 0b00100, 0b00011},  // {
    {0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100},  // |
    {0b11000, 0b00100, 0b00100, 0b00010, 0b00100, 0b00100, 0b11000},  // }
    {0b00000, 0b00000, 0b01000, 0b10101, 0b00010, 0b00000, 0b00000},  // ~
}};

// Rows by which a glyph hangs below the line the others stand on.
int64_t drop_of(char character) {
  constexpr std::string_view kTailed = "gpqy";
  constexpr std::string_view kPoints = ",;";
  if (kTailed.find(character) != std::string_view::npos) return kDescentRows;
  return kPoints.find(character) != std::string_view::npos ? 1 : 0;
}

// A byte that continues a code point begun before it, which has been drawn already.
bool continues(char byte) { return (static_cast<uint8_t>(byte) & 0xC0) == 0x80; }

// Bytes of the first `count` characters.
size_t bytes_of(std::string_view text, int64_t count) {
  size_t at = 0;
  while (at < text.size() && (count > 0 || continues(text[at]))) {
    count -= continues(text[at++]) ? 0 : 1;
  }
  return at;
}

void fill_square(image::Image& picture, int64_t row, int64_t col, int64_t side, Colour colour) {
  for (int64_t r = std::max<int64_t>(row, 0); r < std::min(row + side, picture.rows); ++r) {
    for (int64_t c = std::max<int64_t>(col, 0); c < std::min(col + side, picture.cols); ++c) {
      std::copy(colour.begin(), colour.end(), picture.pixels.begin() + (r * picture.cols + c) * 3);
    }
  }
}

}  // namespace

const Glyph& glyph(char character) {
  const int code = static_cast<uint8_t>(character);
  const bool known = code >= kFirst && code <= kLast;
  return kGlyphs[static_cast<size_t>((known ? code : int{'?'}) - kFirst)];
}

int64_t text_length(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char byte) { return !continues(byte); });
}

int64_t text_cols(std::string_view text, int64_t factor) {
  const int64_t length = text_length(text);
  return length == 0 ? 0 : (length * kAdvance - (kAdvance - kGlyphCols)) * factor;
}

std::vector<std::string> wrap_text(std::string_view text, int64_t cols, int64_t factor) {
  const int64_t most = std::max<int64_t>(1, (cols / factor + kAdvance - kGlyphCols) / kAdvance);
  std::vector<std::string> lines;
  std::string line;
  const auto close = [&] {
    if (!line.empty()) lines.push_back(std::exchange(line, {}));
  };
  while (!text.empty()) {
    const size_t blank = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    if (word.empty()) continue;
    if (!line.empty() && text_length(line) + 1 + text_length(word) > most) close();
    while (text_length(word) > most) {
      lines.emplace_back(word.substr(0, bytes_of(word, most)));
      word.remove_prefix(bytes_of(word, most));
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  close();
  return lines;
}

std::string cut_text(std::string_view text, int64_t cols, int64_t factor) {
  constexpr std::string_view kCut = "...";
  if (text_cols(text, factor) <= cols) return std::string(text);
  const int64_t most = (cols / factor + kAdvance - kGlyphCols) / kAdvance - std::ssize(kCut);
  std::string_view left = text.substr(0, bytes_of(text, std::max<int64_t>(1, most)));
  while (left.size() > 1 && (left.back() == ' ' || left.back() == ',')) left.remove_suffix(1);
  return std::string(left) + std::string(kCut);
}

void draw_text(image::Image& picture, int64_t row, int64_t col, std::string_view text,
               int64_t factor, Colour colour) {
  require(picture.channels == 3, "text is drawn on RGB pictures, not on {} channels",
          picture.channels);
  for (const char byte : text) {
    if (continues(byte)) continue;
    const Glyph& dots = glyph(byte);
    const int64_t drop = drop_of(byte);
    for (int64_t r = 0; r < kGlyphRows; ++r) {
      for (int64_t c = 0; c < kGlyphCols; ++c) {
        if ((dots[static_cast<size_t>(r)] >> (kGlyphCols - 1 - c)) & 1) {
          fill_square(picture, row + (r + drop) * factor, col + c * factor, factor, colour);
        }
      }
    }
    col += kAdvance * factor;
  }
}

}  // namespace fcm::viz
