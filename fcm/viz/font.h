// Text on images, in DejaVu Sans. Text is UTF-8; what the font lacks (glyphs.h) is a box, and so
// is every byte that belongs to no character.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fcm/image/image.h"

namespace fcm::viz {

using Colour = std::array<uint8_t, 3>;

// 13, 18, 26 and 36 pixels an em.
enum class TextSize { kSmall, kMedium, kLarge, kHuge };

// That which reads well in an image whose longer side has so many pixels.
TextSize text_size_for(int64_t side);

// Rows of a line of text, from those of accents on capitals to the tails of letters; nothing is
// drawn outside of them. Lines stand right under each other.
int64_t line_rows(TextSize size);
// Of those, the first row of capitals and digits, and how many rows they take.
int64_t capital_top(TextSize size);
int64_t capital_rows(TextSize size);

// A length that grows with the text: gaps and edges are multiples of it. 2 pixels of kSmall.
int64_t text_unit(TextSize size);

// Columns that `text` takes; 0 for an empty one.
int64_t text_cols(std::string_view text, TextSize size);

// Breaks at blanks into lines of at most `cols` pixels; a word too long for a line is cut. Never
// returns a line wider than `cols`, unless a single character is.
std::vector<std::string> wrap_text(std::string_view text, int64_t cols, TextSize size);

// The text, or as much of its beginning as leaves room for an ellipsis within `cols` pixels; at
// least one character.
std::string cut_text(std::string_view text, int64_t cols, TextSize size);

// Writes one line of text into line_rows x text_cols pixels, whose top left corner is at (row, col)
// of an RGB image; what falls outside the image is left out.
void draw_text(image::Image& picture, int64_t row, int64_t col, std::string_view text,
               TextSize size, Colour colour);

// Black or white, whichever can be read better on a ground: the contrast is at least 4.5 to 1 as
// WCAG 2 counts it.
Colour ink_on(Colour ground);

}  // namespace fcm::viz
