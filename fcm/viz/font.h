// Text on images, in DejaVu Sans. Text is UTF-8; missing glyphs (glyphs.h) and invalid bytes are
// drawn as boxes.
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

// A readable size for an image whose longer side has `side` pixels.
TextSize text_size_for(int64_t side);

// Height of a line in pixels, from accents on capitals to descenders; nothing is drawn outside.
// Lines follow each other without a gap.
int64_t line_rows(TextSize size);
// Of those: the first row of capitals and digits, and their height.
int64_t capital_top(TextSize size);
int64_t capital_rows(TextSize size);

// A length that scales with the text, for gaps and edges. 2 pixels for kSmall.
int64_t text_unit(TextSize size);

// Width of `text` in pixels; 0 if it is empty.
int64_t text_cols(std::string_view text, TextSize size);

// Breaks at blanks into lines of at most `cols` pixels; a word too long for a line is cut. A line
// is only wider than `cols` if a single character is.
std::vector<std::string> wrap_text(std::string_view text, int64_t cols, TextSize size);

// The text, or its beginning and an ellipsis, within `cols` pixels; at least one character.
std::string cut_text(std::string_view text, int64_t cols, TextSize size);

// Draws one line of text into line_rows x text_cols pixels with the top left corner at (row, col)
// of an RGB image; parts outside are clipped.
void draw_text(image::Image& image, int64_t row, int64_t col, std::string_view text, TextSize size,
               Colour colour);

// Black or white, whichever is more readable on a background: the contrast is at least 4.5 to 1 by
// WCAG 2.
Colour ink_on(Colour ground);

}  // namespace fcm::viz
