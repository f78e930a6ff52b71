#include "fcm/viz/legend.h"

#include <gtest/gtest.h>

#include "fcm/viz/canvas.h"
#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

std::vector<LegendEntry> entries_of(size_t count, const std::string& name = "wall") {
  std::vector<LegendEntry> entries;
  for (size_t i = 0; i < count; ++i) {
    entries.push_back({{static_cast<uint8_t>(i), 7, 9}, name, "12.3 %"});
  }
  return entries;
}

constexpr TextSize kLegendText = TextSize::kMedium;

TEST(Legend, FillsTheWidthWithColumnsOfOneHeight) {
  const int64_t column = legend_below(entries_of(1), kLegendText, 5000).cols;
  const LegendLayout layout = legend_below(entries_of(11), kLegendText, 4 * column);
  EXPECT_EQ(layout.columns, 3);
  EXPECT_EQ(layout.entries_down, 4);
  EXPECT_LE(layout.cols, 4 * column);
  // no more columns than entries
  EXPECT_EQ(legend_below(entries_of(2), kLegendText, 5000).columns, 2);
  EXPECT_EQ(legend_below(entries_of(4), kLegendText, 4 * column).entries_down, 2);
}

TEST(Legend, StandsBesideInAsFewColumnsAsFit) {
  const int64_t rows = 6 * line_rows(kLegendText) + 3;
  const LegendLayout layout = legend_beside(entries_of(11), kLegendText, rows);
  EXPECT_EQ(layout.columns, 2);
  EXPECT_EQ(layout.entries_down, 6);
  EXPECT_LE(layout.rows, rows);
  EXPECT_EQ(legend_beside(entries_of(11), kLegendText, 1).columns, 11);
}

TEST(Legend, LongNamesAreCutAndNeverRunIntoTheFigure) {
  const std::vector<LegendEntry> entries =
      entries_of(1, "screen, silver screen, projection screen, and more");
  for (const int64_t cols : {2000, 300, 1}) {
    const LegendLayout layout = legend_below(entries, kLegendText, cols);
    const std::string shown = cut_text(entries[0].name, layout.name_cols, kLegendText);
    EXPECT_LE(text_cols(shown, kLegendText), layout.name_cols);
    EXPECT_TRUE(shown.ends_with("…")) << shown;
    EXPECT_GE(shown.size(), 10u) << shown;
    EXPECT_LE(
        layout.name_cols + text_cols(entries[0].figure, kLegendText) + capital_rows(kLegendText),
        layout.column_cols);
  }
}

TEST(Legend, SwatchesStandDownTheColumnsBesideTheirNames) {
  const std::vector<LegendEntry> entries = entries_of(5);
  const int64_t column = legend_below(entries_of(1), kLegendText, 5000).cols;
  const LegendLayout layout = legend_below(entries, kLegendText, 3 * column);
  ASSERT_EQ(layout.columns, 2);
  const image::Image out = draw_legend(entries, layout);
  EXPECT_EQ(out.rows, layout.rows);
  EXPECT_EQ(out.cols, layout.cols);
  const int64_t right = layout.cols - layout.column_cols, side = capital_rows(kLegendText);
  const auto swatch = [&](int64_t line, int64_t left) {
    return test::pixel(out, line * line_rows(kLegendText) + capital_top(kLegendText) + side - 1,
                       left);
  };
  EXPECT_EQ(swatch(0, 0), (Colour{0, 7, 9}));
  EXPECT_EQ(swatch(1, side - 1), (Colour{1, 7, 9}));
  EXPECT_EQ(swatch(2, 0), (Colour{2, 7, 9}));
  EXPECT_EQ(swatch(0, right), (Colour{3, 7, 9}));
  EXPECT_EQ(swatch(1, right), (Colour{4, 7, 9}));
  EXPECT_EQ(swatch(2, right), kGround);
  EXPECT_EQ(test::count(out, Colour{2, 7, 9}), side * side);
}

TEST(Legend, OfNothingIsNothing) {
  EXPECT_TRUE(draw_legend({}, legend_below({}, kLegendText, 100)).pixels.empty());
  EXPECT_TRUE(draw_legend({}, legend_beside({}, kLegendText, 100)).pixels.empty());
}

}  // namespace
}  // namespace fcm::viz
