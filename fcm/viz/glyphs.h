// The glyphs of DejaVu Sans, rendered by cmake/draw_font.cpp when the program is built, at a few
// sizes. font.h draws with them.
#pragma once

#include <cstdint>
#include <span>

namespace fcm::viz {

struct Glyph {
  char32_t code = 0;
  int16_t left = 0, top = 0;  // of its first pixel: right of the pen, rows above the baseline
  int16_t rows = 0, cols = 0;
  int16_t advance = 0;  // of the pen; 0: an accent on the previous letter
  uint32_t first = 0;   // index of its first value in packed_coverage()
};

// The glyphs of one size, by code.
struct Face {
  int16_t pixels = 0;  // of an em
  // Rows of the tallest glyphs above and below the baseline; rows of capitals above it.
  int16_t ascent = 0, descent = 0, capital = 0;
  std::span<const Glyph> glyphs;
};

// In ascending size.
std::span<const Face> faces();

// Coverage of each pixel of the glyphs, row by row: 0 to 15, two per byte, the low half first.
const uint8_t* packed_coverage();

}  // namespace fcm::viz
