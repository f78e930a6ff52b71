// A small bitmap font, so that sheets can carry captions without a font library.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::viz {

using Colour = std::array<uint8_t, 3>;

inline constexpr int64_t kGlyphRows = 7;
inline constexpr int64_t kGlyphCols = 5;
inline constexpr int64_t kAdvance = 6;      // from one character to the next
inline constexpr int64_t kDescentRows = 2;  // how far tails hang below the line
inline constexpr int64_t kLineRows = 11;    // from one line to the next

// Seven rows of five dots; bit 4 is the leftmost. Where a glyph hangs below the line, so do its
// rows. Anything outside ASCII 32..126 shows as '?'.
const std::array<uint8_t, kGlyphRows>& glyph(char character);

// Characters of UTF-8 text as the font shows them: a code point outside ASCII counts as one.
int64_t text_length(std::string_view text);

// Columns of pixels that `text` covers at a whole `factor`; 0 for an empty text.
int64_t text_cols(std::string_view text, int64_t factor);

// Breaks at blanks into lines of at most `cols` pixels; a word too long for a line is cut. Never
// returns a line wider than `cols`, unless a single character is.
std::vector<std::string> wrap_text(std::string_view text, int64_t cols, int64_t factor);

// The text, or as much of its beginning as leaves room for three points within `cols` pixels; at
// least one character.
std::string cut_text(std::string_view text, int64_t cols, int64_t factor);

// Writes one line of text whose capitals have their top left corner at (row, col) of an RGB
// picture; what falls outside the picture is left out.
void draw_text(image::Image& picture, int64_t row, int64_t col, std::string_view text,
               int64_t factor, Colour colour);

}  // namespace fcm::viz
