// What the colours of an image mean: swatches and names in columns.
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
  std::string figure;  // softer, at the right end of the column; may be empty
};

// Where things are, in pixels of the legend. Entries stand down the columns, which are of one
// width.
struct LegendLayout {
  TextSize text = TextSize::kSmall;
  int64_t entries_down = 0, columns = 0;
  int64_t name_cols = 0;    // room for a name
  int64_t column_cols = 0;  // of a whole column, without the gap after it
  int64_t rows = 0, cols = 0;
};

// As many columns as fit into `most_cols`, and no more than are needed. Names wider than 14 em are
// cut; where not even one column fits, those wider than 7 em, and the legend is wider.
LegendLayout legend_below(const std::vector<LegendEntry>& entries, TextSize text,
                          int64_t most_cols);
// As few columns as fit into `most_rows`.
LegendLayout legend_beside(const std::vector<LegendEntry>& entries, TextSize text,
                           int64_t most_rows);

// On the ground of sheets, rows x cols pixels of the layout.
image::Image draw_legend(const std::vector<LegendEntry>& entries, const LegendLayout& layout);

}  // namespace fcm::viz
