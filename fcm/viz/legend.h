// Legends of colours: swatches and names in columns.
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
  std::string figure;  // in soft ink, right-aligned in the column; may be empty
};

// Layout in pixels of the legend. Entries go down the columns; all columns have one width.
struct LegendLayout {
  TextSize text = TextSize::kSmall;
  int64_t entries_down = 0, columns = 0;
  int64_t name_cols = 0;    // room for a name
  int64_t column_cols = 0;  // of a whole column, without the gap after it
  int64_t rows = 0, cols = 0;
};

// As many columns as needed and as fit into `most_cols`. Names are cut to 14 em, and further down
// to 7 em if a single column would be too wide; if it still is, the legend exceeds `most_cols`.
LegendLayout legend_below(const std::vector<LegendEntry>& entries, TextSize text,
                          int64_t most_cols);
// As few columns as possible within `most_rows`.
LegendLayout legend_beside(const std::vector<LegendEntry>& entries, TextSize text,
                           int64_t most_rows);

// On the background of sheets; rows x cols pixels of the layout.
image::Image draw_legend(const std::vector<LegendEntry>& entries, const LegendLayout& layout);

}  // namespace fcm::viz
