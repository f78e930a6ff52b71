// The glyphs that cmake/draw_font.cpp draws of DejaVu Sans when the program is built, at a few
// sizes. font.h is what draws with them.
#pragma once

#include <cstdint>
#include <span>

namespace fcm::viz {

struct Glyph {
  char32_t code = 0;
  int16_t left = 0, top = 0;  // of its first pixel: right of the pen, above the base line
  int16_t rows = 0, cols = 0;
  int16_t advance = 0;  // of the pen; 0: an accent of the letter before it
  uint32_t first = 0;   // value of packed_coverage()
};

// The glyphs of one size, by code.
struct Face {
  int16_t pixels = 0;  // of an em
  // Rows above the base line and below it, of the tallest glyphs; above it, of capitals.
  int16_t ascent = 0, descent = 0, capital = 0;
  std::span<const Glyph> glyphs;
};

// Ascending sizes.
std::span<const Face> faces();

// How much of each pixel a glyph covers, row by row: 0 to 15, two a byte, the low half first.
const uint8_t* packed_coverage();

}  // namespace fcm::viz
