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

TEST(Legend, FillsTheWidthWithColumnsOfOneHeight) {
  const LegendLayout layout = legend_below(entries_of(11), 2, 500);
  EXPECT_EQ(layout.columns, 3);
  EXPECT_EQ(layout.entries_down, 4);
  EXPECT_LE(layout.cols, 500);
  EXPECT_EQ(legend_below(entries_of(2), 2, 5000).columns, 2);  // not more than are needed
  EXPECT_EQ(legend_below(entries_of(4), 2, 500).entries_down, 2);
}

TEST(Legend, StandsBesideInAsFewColumnsAsFit) {
  const LegendLayout layout = legend_beside(entries_of(11), 2, 150);
  EXPECT_EQ(layout.columns, 2);
  EXPECT_EQ(layout.entries_down, 6);
  EXPECT_LE(layout.rows, 150);
  EXPECT_EQ(legend_beside(entries_of(11), 2, 1).columns, 11);
}

TEST(Legend, LongNamesAreCutAndNeverRunIntoTheFigure) {
  const std::vector<LegendEntry> entries =
      entries_of(1, "screen, silver screen, projection screen, and more");
  for (const int64_t cols : {2000, 300, 1}) {
    const LegendLayout layout = legend_below(entries, 2, cols);
    const std::string shown = cut_text(entries[0].name, layout.name_cols, 2);
    EXPECT_LE(text_cols(shown, 2), layout.name_cols);
    EXPECT_TRUE(shown.ends_with("...")) << shown;
    EXPECT_GE(shown.size(), 10u) << shown;
    EXPECT_LE(layout.name_cols + text_cols(entries[0].figure, 2) + 2 * (kGlyphRows + 10),
              layout.column_cols);
  }
}

TEST(Legend, SwatchesStandDownTheColumns) {
  const std::vector<LegendEntry> entries = entries_of(5);
  const LegendLayout layout = legend_below(entries, 1, 200);
  ASSERT_EQ(layout.columns, 2);
  const image::Image out = draw_legend(entries, layout);
  EXPECT_EQ(out.rows, layout.rows);
  EXPECT_EQ(out.cols, layout.cols);
  const int64_t right = layout.column_cols + 10;
  EXPECT_EQ(test::pixel(out, 0, 0), (Colour{0, 7, 9}));
  EXPECT_EQ(test::pixel(out, 12, 6), (Colour{1, 7, 9}));
  EXPECT_EQ(test::pixel(out, 24, 0), (Colour{2, 7, 9}));
  EXPECT_EQ(test::pixel(out, 0, right), (Colour{3, 7, 9}));
  EXPECT_EQ(test::pixel(out, 12, right), (Colour{4, 7, 9}));
  EXPECT_EQ(test::pixel(out, 24, right), kGround);
  EXPECT_EQ(test::count(out, Colour{2, 7, 9}), 7 * 7);
}

TEST(Legend, OfNothingIsNothing) {
  EXPECT_TRUE(draw_legend({}, legend_below({}, 2, 100)).pixels.empty());
  EXPECT_TRUE(draw_legend({}, legend_beside({}, 2, 100)).pixels.empty());
}

}  // namespace
}  // namespace fcm::viz
