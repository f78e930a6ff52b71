#include "fcm/viz/legend.h"

#include <algorithm>

#include "fcm/viz/canvas.h"

namespace fcm::viz {
namespace {

constexpr int64_t kMostCharacters = 24, kLeastCharacters = 12;  // of names that may be cut
constexpr int64_t kSwatch = kGlyphRows;  // rows and columns, as all below in dots of the font
constexpr int64_t kSwatchGap = 4;
constexpr int64_t kFigureGap = 6;
constexpr int64_t kColumnGap = 10;
constexpr int64_t kEntryRows = kLineRows + 1;

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t widest(const std::vector<LegendEntry>& entries, std::string LegendEntry::*text,
               int64_t factor) {
  int64_t cols = 0;
  for (const LegendEntry& entry : entries) cols = std::max(cols, text_cols(entry.*text, factor));
  return cols;
}

// A column as wide as its texts need, and as `most_cols` allow.
LegendLayout one_column(const std::vector<LegendEntry>& entries, int64_t factor,
                        int64_t most_cols) {
  LegendLayout layout;
  layout.factor = factor;
  const int64_t figure = widest(entries, &LegendEntry::figure, factor);
  const int64_t around =
      (kSwatch + kSwatchGap) * factor + (figure == 0 ? 0 : kFigureGap * factor + figure);
  layout.name_cols =
      std::min({widest(entries, &LegendEntry::name, factor), kMostCharacters * kAdvance * factor,
                std::max(most_cols - around, kLeastCharacters * kAdvance * factor)});
  layout.column_cols = around + layout.name_cols;
  return layout;
}

// In columns of at most `down` entries.
LegendLayout filled(LegendLayout layout, int64_t entries, int64_t down) {
  layout.columns = divided_up(entries, std::max<int64_t>(down, 1));
  layout.entries_down = layout.columns == 0 ? 0 : divided_up(entries, layout.columns);
  // The last line needs no space after it, beyond that of its tails.
  layout.rows =
      layout.entries_down == 0
          ? 0
          : ((layout.entries_down - 1) * kEntryRows + kGlyphRows + kDescentRows) * layout.factor;
  layout.cols =
      std::max<int64_t>(0, layout.columns * (layout.column_cols + kColumnGap * layout.factor) -
                               kColumnGap * layout.factor);
  return layout;
}

}  // namespace

LegendLayout legend_below(const std::vector<LegendEntry>& entries, int64_t factor,
                          int64_t most_cols) {
  const LegendLayout column = one_column(entries, factor, most_cols);
  const int64_t gap = kColumnGap * factor;
  const int64_t columns = std::max<int64_t>(1, (most_cols + gap) / (column.column_cols + gap));
  return filled(column, std::ssize(entries), divided_up(std::ssize(entries), columns));
}

LegendLayout legend_beside(const std::vector<LegendEntry>& entries, int64_t factor,
                           int64_t most_rows) {
  const int64_t fitting = (most_rows / factor - kGlyphRows - kDescentRows) / kEntryRows + 1;
  return filled(one_column(entries, factor, INT64_MAX / 2), std::ssize(entries), fitting);
}

image::Image draw_legend(const std::vector<LegendEntry>& entries, const LegendLayout& layout) {
  image::Image out = blank(layout.rows, layout.cols);
  const int64_t factor = layout.factor;
  for (int64_t i = 0; i < std::ssize(entries); ++i) {
    const LegendEntry& entry = entries[static_cast<size_t>(i)];
    const int64_t top = i % layout.entries_down * kEntryRows * factor;
    const int64_t left = i / layout.entries_down * (layout.column_cols + kColumnGap * factor);
    fill_box(out, {top, left, kSwatch * factor, kSwatch * factor}, entry.colour);
    draw_text(out, top, left + (kSwatch + kSwatchGap) * factor,
              cut_text(entry.name, layout.name_cols, factor), factor, kInk);
    draw_text(out, top, left + layout.column_cols - text_cols(entry.figure, factor), entry.figure,
              factor, kSoftInk);
  }
  return out;
}

}  // namespace fcm::viz
