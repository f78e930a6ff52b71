// Draws legends of colours: swatches and names in columns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fcm/image/image.h"
#include "fcm/viz/font.h"

namespace fcm::viz {

struct LegendEntry {
  Colour colour{};
  std::string name;
  std::string figure;  // a number in soft ink, right-aligned in the column; may be empty
};

// Layout in pixels of the legend. Entries go down the columns; all columns have one width.
struct LegendLayout {
  TextSize text = TextSize::kSmall;
  int64_t entries_down = 0, columns = 0;
  int64_t name_cols = 0;    // room for a name
  int64_t column_cols = 0;  // of a whole column, without the gap after it
  int64_t rows = 0, cols = 0;
};

// A legend of at most `most_cols` pixels in width, with as few rows as possible. Names are cut to
// 14 em, or to as little as 7 em if a single column would be too wide. If it is still too wide, the
// legend exceeds `most_cols`.
LegendLayout legend_below(const std::vector<LegendEntry>& entries, TextSize text,
                          int64_t most_cols);
// A legend of at most `most_rows` pixels in height, with as few columns as possible.
LegendLayout legend_beside(const std::vector<LegendEntry>& entries, TextSize text,
                           int64_t most_rows);

// Draws the legend on the background of sheets, with the layout's rows x cols pixels.
image::Image draw_legend(const std::vector<LegendEntry>& entries, const LegendLayout& layout);

}  // namespace fcm::viz
