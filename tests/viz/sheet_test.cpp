#include "fcm/viz/sheet.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "fcm/viz/canvas.h"
#include "fcm/viz/font.h"

namespace fcm::viz {
namespace {

using Pixel = std::array<int, 3>;

Pixel pixel(const image::Image& image, int64_t row, int64_t col) {
  const auto at = static_cast<size_t>((row * image.cols + col) * 3);
  return {image.pixels[at], image.pixels[at + 1], image.pixels[at + 2]};
}

constexpr Pixel kNearlyWhite{252, 252, 250};

// An image of 2 x 3 pixels that all differ.
image::Image small(int64_t channels, uint8_t base) {
  image::Image image{2, 3, channels, {}};
  for (int64_t i = 0; i < 6 * channels; ++i) {
    image.pixels.push_back(static_cast<uint8_t>(base + i));
  }
  return image;
}

TEST(Sheet, EnlargesPixelsToSquares) {
  const image::Image large = enlarge(small(3, 10), 4);
  ASSERT_EQ(large.rows, 8);
  ASSERT_EQ(large.cols, 12);
  for (int64_t row = 0; row < 8; ++row) {
    for (int64_t col = 0; col < 12; ++col) {
      const int first = static_cast<int>(10 + (row / 4 * 3 + col / 4) * 3);
      EXPECT_EQ(pixel(large, row, col), (Pixel{first, first + 1, first + 2}));
    }
  }
}

TEST(Sheet, PutsTilesAtExactPlaces) {
  Sheet sheet{"", {{"", false}, {"", false}, {"", true}}, {}, "", 5};
  sheet.rows = {{{small(1, 0), small(3, 50), small(1, 100)}}, {{small(1, 200), small(1, 20)}}};
  const image::Image out = make_sheet(sheet);
  // Margins are 16 pixels, tiles 10 x 15, gaps between tiles 4, and the gap before a group is 14.
  const SheetGeometry geometry = sheet_geometry(sheet);
  EXPECT_EQ(geometry.column_lefts, (std::vector<int64_t>{16, 16 + 15 + 4, 35 + 15 + 14}));
  EXPECT_EQ(geometry.row_tops, (std::vector<int64_t>{16, 16 + 10 + 4}));
  EXPECT_EQ(out.rows, 30 + 10 + 16);
  EXPECT_EQ(out.cols, 16 + 240 + 16);  // the minimum width, so that text has room

  int64_t ground = 0;
  for (int64_t row = 0; row < out.rows; ++row) {
    for (int64_t col = 0; col < out.cols; ++col) ground += pixel(out, row, col) == kNearlyWhite;
  }
  EXPECT_EQ(ground, out.rows * out.cols - 5 * 10 * 15);  // all pixels except those of five tiles
  EXPECT_EQ(pixel(out, 16, 16), (Pixel{0, 0, 0}));
  EXPECT_EQ(pixel(out, 16 + 9, 16 + 14), (Pixel{5, 5, 5}));
  EXPECT_EQ(pixel(out, 16 + 4, 35 + 5), (Pixel{53, 54, 55}));  // row 0, column 1
  EXPECT_EQ(pixel(out, 16 + 5, 64), (Pixel{103, 103, 103}));   // row 1, column 0
  EXPECT_EQ(pixel(out, 30, 16), (Pixel{200, 200, 200}));
  EXPECT_EQ(pixel(out, 30, 64), kNearlyWhite);  // the missing tile
  EXPECT_EQ(pixel(out, 16, 15), kNearlyWhite);
  EXPECT_EQ(pixel(out, 15, 16), kNearlyWhite);
  EXPECT_EQ(pixel(out, 26, 16), kNearlyWhite);
  EXPECT_EQ(pixel(out, 16, 31), kNearlyWhite);
}

TEST(Sheet, ChoosesTheLeastWholeScale) {
  const auto scale_of = [](int64_t side) {
    Sheet sheet{"", {{"x", false}}, {}, "", 0};
    sheet.rows = {
        {{image::Image{side, side, 1, std::vector<uint8_t>(static_cast<size_t>(side * side))}}}};
    return sheet_geometry(sheet).scale;
  };
  EXPECT_EQ(scale_of(28), 4);
  EXPECT_EQ(scale_of(32), 4);
  EXPECT_EQ(scale_of(112), 1);
  EXPECT_EQ(scale_of(224), 1);
  EXPECT_EQ(scale_of(1), 112);
}

// The number of pixels in a box that differ from the background.
int64_t ink_in(const image::Image& out, int64_t top, int64_t left, int64_t rows, int64_t cols) {
  int64_t ink = 0;
  for (int64_t row = top; row < top + rows; ++row) {
    for (int64_t col = left; col < left + cols; ++col) ink += pixel(out, row, col) != kNearlyWhite;
  }
  return ink;
}

// The number of pixels that this text covers in this size and colour.
int64_t ink_of(const std::string& text, TextSize size, Colour colour) {
  image::Image alone = blank(line_rows(size), text_cols(text, size));
  draw_text(alone, 0, 0, text, size, colour);
  return ink_in(alone, 0, 0, alone.rows, alone.cols);
}

TEST(Sheet, WritesTextWhereTheGeometrySays) {
  Sheet sheet{
      "A title", {{"one", false}, {"two", false}}, {{{small(1, 7), small(1, 9)}}}, "note", 40};
  sheet.rows[0].labels = {{"x", "yy"}, {"a label that is far wider than its tile"}};
  const SheetGeometry geometry = sheet_geometry(sheet);
  const image::Image out = make_sheet(sheet);
  constexpr TextSize kText = TextSize::kMedium;
  const int64_t line = line_rows(kText);
  ASSERT_EQ(geometry.text, kText);
  EXPECT_LE(geometry.title_top + line, geometry.caption_top);
  EXPECT_LE(geometry.caption_top + line, geometry.row_tops[0]);
  const int64_t labels = geometry.row_tops[0] + geometry.tile_rows[0];
  constexpr TextSize kLabel = TextSize::kSmall;
  EXPECT_LE(labels + 2 * line_rows(kLabel), geometry.note_top);
  EXPECT_LE(geometry.note_top + line, geometry.rows);
  EXPECT_EQ(ink_in(out, geometry.title_top, 0, line, out.cols), ink_of("A title", kText, kInk));
  for (size_t column = 0; column < 2; ++column) {
    EXPECT_EQ(
        ink_in(out, geometry.caption_top, geometry.column_lefts[column], line, geometry.tile_cols),
        ink_of(sheet.columns[column].caption, kText, kSoftInk));
  }
  EXPECT_EQ(ink_in(out, geometry.note_top, 0, line, out.cols), ink_of("note", kText, kSoftInk));
  EXPECT_EQ(
      ink_in(out, labels, geometry.column_lefts[0], geometry.note_top - labels, geometry.tile_cols),
      ink_of("x", kLabel, kInk) + ink_of("yy", kLabel, kInk));
  const std::string cut = cut_text(sheet.rows[0].labels[1][0], geometry.tile_cols, kLabel);
  EXPECT_EQ(ink_in(out, labels, geometry.column_lefts[1], geometry.note_top - labels,
                   out.cols - geometry.column_lefts[1]),
            ink_of(cut, kLabel, kInk));
  EXPECT_TRUE(cut.ends_with("…"));
}

TEST(Sheet, LongCaptionsStayOverTheirColumns) {
  Sheet sheet{"", {{"reconstruction of everything", false}}, {{{small(1, 7)}}}, "", 30};
  const SheetGeometry geometry = sheet_geometry(sheet);
  EXPECT_EQ(geometry.text, TextSize::kSmall);
  EXPECT_GT(geometry.caption_lines[0].size(), 1u);
  for (const std::string& line : geometry.caption_lines[0]) {
    EXPECT_LE(text_cols(line, geometry.text), geometry.tile_cols);
  }
}

TEST(Sheet, TakesTilesOfDifferentSizesAndNone) {
  Sheet sheet{"t", {{"", false}, {"", false}}, {}, "", 1};
  EXPECT_GT(make_sheet(sheet).rows, 0);
  EXPECT_GT(make_sheet(Sheet{}).rows, 0);
  sheet.rows = {{{small(1, 7), image::Image{}}},
                {{image::Image{9, 1, 1, std::vector<uint8_t>(9)}}}};
  const SheetGeometry geometry = sheet_geometry(sheet);
  EXPECT_EQ(geometry.tile_rows, (std::vector<int64_t>{2, 9}));  // height of the tallest tile
  EXPECT_EQ(geometry.row_tops[1], geometry.row_tops[0] + 2 + 4);
  EXPECT_EQ(geometry.tile_cols, 3);
}

TEST(Sheet, RefusesWhatIsNoImage) {
  Sheet sheet{"", {{"", false}}, {{{image::Image{2, 2, 1, {1, 2, 3}}}}}, "", 1};
  EXPECT_THROW(make_sheet(sheet), std::logic_error);
  sheet.rows = {{{image::Image{1, 1, 2, {1, 2}}}}};
  EXPECT_THROW(make_sheet(sheet), std::logic_error);
  sheet.rows = {{{small(1, 0), small(1, 0)}}};
  EXPECT_THROW(make_sheet(sheet), std::logic_error);
}

}  // namespace
}  // namespace fcm::viz
