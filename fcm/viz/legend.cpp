#include "fcm/viz/legend.h"

#include <algorithm>

#include "fcm/viz/canvas.h"

namespace fcm::viz {
namespace {

// Limits for the width of names. All values here are in text_unit; 7 units are an em.
constexpr int64_t kMostOfName = 14 * 7, kLeastOfName = 7 * 7;
constexpr int64_t kSwatchGap = 3;
constexpr int64_t kFigureGap = 6;
constexpr int64_t kColumnGap = 10;

int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t widest(const std::vector<LegendEntry>& entries, std::string LegendEntry::*text,
               TextSize size) {
  int64_t cols = 0;
  for (const LegendEntry& entry : entries) cols = std::max(cols, text_cols(entry.*text, size));
  return cols;
}

// The width of swatch and gap. A swatch is a square as tall as capitals.
int64_t before_name(TextSize text) { return capital_rows(text) + kSwatchGap * text_unit(text); }

// A column as wide as its texts, at most `most_cols`.
LegendLayout one_column(const std::vector<LegendEntry>& entries, TextSize text, int64_t most_cols) {
  LegendLayout layout;
  layout.text = text;
  const int64_t figure = widest(entries, &LegendEntry::figure, text), unit = text_unit(text);
  const int64_t around = before_name(text) + (figure == 0 ? 0 : kFigureGap * unit + figure);
  layout.name_cols = std::min({widest(entries, &LegendEntry::name, text), kMostOfName * unit,
                               std::max(most_cols - around, kLeastOfName * unit)});
  layout.column_cols = around + layout.name_cols;
  return layout;
}

// Distributes entries over columns of at most `down`.
LegendLayout filled(LegendLayout layout, int64_t entries, int64_t down) {
  const int64_t gap = kColumnGap * text_unit(layout.text);
  layout.columns = divided_up(entries, std::max<int64_t>(down, 1));
  layout.entries_down = layout.columns == 0 ? 0 : divided_up(entries, layout.columns);
  layout.rows = layout.entries_down * line_rows(layout.text);
  layout.cols = std::max<int64_t>(0, layout.columns * (layout.column_cols + gap) - gap);
  return layout;
}

}  // namespace

LegendLayout legend_below(const std::vector<LegendEntry>& entries, TextSize text,
                          int64_t most_cols) {
  const LegendLayout column = one_column(entries, text, most_cols);
  const int64_t gap = kColumnGap * text_unit(text);
  const int64_t columns = std::max<int64_t>(1, (most_cols + gap) / (column.column_cols + gap));
  return filled(column, std::ssize(entries), divided_up(std::ssize(entries), columns));
}

LegendLayout legend_beside(const std::vector<LegendEntry>& entries, TextSize text,
                           int64_t most_rows) {
  return filled(one_column(entries, text, INT64_MAX / 2), std::ssize(entries),
                most_rows / line_rows(text));
}

image::Image draw_legend(const std::vector<LegendEntry>& entries, const LegendLayout& layout) {
  image::Image out = blank(layout.rows, layout.cols);
  const TextSize text = layout.text;
  for (int64_t i = 0; i < std::ssize(entries); ++i) {
    const LegendEntry& entry = entries[static_cast<size_t>(i)];
    const int64_t top = i % layout.entries_down * line_rows(text);
    const int64_t left =
        i / layout.entries_down * (layout.column_cols + kColumnGap * text_unit(text));
    fill_box(out, {top + capital_top(text), left, capital_rows(text), capital_rows(text)},
             entry.colour);
    draw_text(out, top, left + before_name(text), cut_text(entry.name, layout.name_cols, text),
              text, kInk);
    draw_text(out, top, left + layout.column_cols - text_cols(entry.figure, text), entry.figure,
              text, kSoftInk);
  }
  return out;
}

}  // namespace fcm::viz
