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

// The height of a line in pixels, from accents on capitals to descenders; nothing is drawn outside.
// Lines follow each other without a gap.
int64_t line_rows(TextSize size);
// Capitals and digits: their first row in a line, and their height.
int64_t capital_top(TextSize size);
int64_t capital_rows(TextSize size);

// A unit of length for gaps and edges that scales with the text size; 2 pixels for kSmall.
int64_t text_unit(TextSize size);

// Width of `text` in pixels; 0 if it is empty.
int64_t text_cols(std::string_view text, TextSize size);

// Breaks `text` at blanks into lines of at most `cols` pixels; a word that is too long for a line
// is cut. A line is wider than `cols` only if a single character is.
std::vector<std::string> wrap_text(std::string_view text, int64_t cols, TextSize size);

// The text if it fits into `cols` pixels, else its beginning (at least one character) and an
// ellipsis.
std::string cut_text(std::string_view text, int64_t cols, TextSize size);

// Draws one line of text into line_rows x text_cols pixels with the top left corner at (row, col)
// of an RGB image; parts outside are clipped.
void draw_text(image::Image& image, int64_t row, int64_t col, std::string_view text, TextSize size,
               Colour colour);

// Black or white, whichever has more contrast to the background; by WCAG 2 at least 4.5 to 1.
Colour ink_on(Colour ground);

}  // namespace fcm::viz
