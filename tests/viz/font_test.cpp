#include "fcm/viz/font.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace fcm::viz {
namespace {

TEST(Font, CoversAsciiWithDifferentGlyphs) {
  std::set<std::array<uint8_t, kGlyphRows>> seen;
  for (char character = 32; character < 127; ++character) {
    const auto& dots = glyph(character);
    EXPECT_TRUE(seen.insert(dots).second) << "two characters look alike: " << character;
    const int ink = std::accumulate(dots.begin(), dots.end(), 0);
    EXPECT_EQ(ink == 0, character == ' ') << character;
    for (const uint8_t row : dots) EXPECT_LT(row, 32) << character;
  }
  EXPECT_EQ(seen.size(), 95u);
}

TEST(Font, ShowsAQuestionMarkForWhatItLacks) {
  EXPECT_EQ(glyph('\t'), glyph('?'));
  EXPECT_EQ(glyph('\x7F'), glyph('?'));
  EXPECT_EQ(glyph(static_cast<char>(0xC3)), glyph('?'));
  EXPECT_NE(glyph('a'), glyph('?'));
}

TEST(Font, CountsCodePoints) {
  EXPECT_EQ(text_length("abc"), 3);
  EXPECT_EQ(text_length("z\xC3\xBC\xE2\x82\xAC"), 3);
  EXPECT_EQ(text_cols("", 2), 0);
  EXPECT_EQ(text_cols("a", 2), 10);
  EXPECT_EQ(text_cols("ab", 1), 11);
}

// Rows of '.' and '#'.
std::vector<std::string> dots(const image::Image& picture) {
  std::vector<std::string> rows;
  for (int64_t r = 0; r < picture.rows; ++r) {
    rows.emplace_back();
    for (int64_t c = 0; c < picture.cols; ++c) {
      rows.back() += picture.pixels[static_cast<size_t>((r * picture.cols + c) * 3)] ? '#' : '.';
    }
  }
  return rows;
}

image::Image blank(int64_t rows, int64_t cols) {
  return {rows, cols, 3, std::vector<uint8_t>(static_cast<size_t>(rows * cols * 3))};
}

TEST(Font, DrawsLinesUprightAndUnmirrored) {
  image::Image picture = blank(9, 12);
  draw_text(picture, 0, 0, "Lp", 1, {255, 255, 255});
  EXPECT_EQ(dots(picture),
            (std::vector<std::string>{"#...........", "#...........", "#.....####..",
                                      "#.....#...#.", "#.....#...#.", "#.....#...#.",
                                      "#####.####..", "......#.....", "......#....."}));
}

TEST(Font, EnlargesAndLeavesOutWhatFallsOutside) {
  image::Image picture = blank(4, 4);
  draw_text(picture, -12, -1, "LL", 2, {9, 9, 9});  // the foot of the first L, from its 2nd column
  EXPECT_EQ(dots(picture), (std::vector<std::string>{"####", "####", "....", "...."}));
  draw_text(picture, 100, 100, "far away", 3, {9, 9, 9});
  draw_text(picture, -100, -100, "far away", 3, {9, 9, 9});
  EXPECT_EQ(dots(picture), (std::vector<std::string>{"####", "####", "....", "...."}));
}

TEST(Font, WrapsAtBlanksAndCutsLongWords) {
  const int64_t six = text_cols("123456", 1);
  EXPECT_EQ(wrap_text("all views here", six, 1),
            (std::vector<std::string>{"all", "views", "here"}));
  EXPECT_EQ(wrap_text("a bc  def", six, 1), (std::vector<std::string>{"a bc", "def"}));
  EXPECT_EQ(wrap_text("reconstruction", six, 1),
            (std::vector<std::string>{"recons", "tructi", "on"}));
  EXPECT_EQ(wrap_text("", six, 1), std::vector<std::string>{});
  for (const std::string& line : wrap_text("\xC3\xBC\xC3\xBC\xC3\xBC words of any length", 40, 2)) {
    EXPECT_LE(text_cols(line, 2), 40) << line;
  }
}

TEST(Font, LongTextIsCutAndSaysSo) {
  EXPECT_EQ(cut_text("sidewalk", text_cols("sidewalk", 2), 2), "sidewalk");
  EXPECT_EQ(cut_text("sidewalk", text_cols("sidewalk", 2) - 1, 2), "side...");
  EXPECT_EQ(cut_text("chest of drawers", text_cols("chest of d", 1), 1), "chest o...");
  EXPECT_EQ(cut_text("chest of drawers", text_cols("chest of ", 1), 1), "chest...");  // no blank
  EXPECT_EQ(cut_text("sidewalk", 1, 3), "s...");
  EXPECT_EQ(cut_text("äöüäöü", text_cols("xxxxx", 1), 1), "äö...");
  EXPECT_EQ(cut_text("", 1, 1), "");
  for (int64_t cols = 23; cols < 100; ++cols) {
    EXPECT_LE(text_cols(cut_text("a long name that is cut", cols, 1), 1), cols);
  }
}

}  // namespace
}  // namespace fcm::viz
