#include "fcm/viz/font.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "fcm/viz/glyphs.h"
#include "tests/viz/pixels.h"

namespace fcm::viz {
namespace {

constexpr std::array kAllSizes{TextSize::kSmall, TextSize::kMedium, TextSize::kLarge,
                               TextSize::kHuge};

// The shapes of glyphs come from FreeType and may change with its version, so no test compares a
// glyph with a stored one.

image::Image black(int64_t rows, int64_t cols) {
  return {rows, cols, 3, std::vector<uint8_t>(static_cast<size_t>(rows * cols * 3))};
}

// The text in white on black, with a margin of `edge` pixels.
image::Image drawn(std::string_view text, TextSize size, int64_t edge = 0) {
  image::Image image = black(line_rows(size) + 2 * edge, text_cols(text, size) + 2 * edge);
  draw_text(image, edge, edge, text, size, {255, 255, 255});
  return image;
}

int64_t lit(const image::Image& image) {
  return image.rows * image.cols - test::count(image, Colour{0, 0, 0});
}

// A character that the font lacks, and one that it has.
const std::string kLacking = "\u6f22", kHas = "H";

TEST(Glyphs, AreSortedAndTheirCoverageFollowsOneAnother) {
  size_t next = 0;
  for (const Face& face : faces()) {
    EXPECT_GT(face.glyphs.size(), 1000u);
    for (size_t i = 0; i < face.glyphs.size(); ++i) {
      const Glyph& glyph = face.glyphs[i];
      if (i > 0) {
        ASSERT_LT(face.glyphs[i - 1].code, glyph.code);
      }
      EXPECT_EQ(glyph.first, next);
      next += static_cast<size_t>(glyph.rows) * static_cast<size_t>(glyph.cols);
      EXPECT_LE(glyph.top, face.ascent);
      EXPECT_LE(glyph.rows - glyph.top, face.descent);
    }
  }
  EXPECT_EQ(faces().size(), kAllSizes.size());
}

TEST(Font, HasLettersOfManyLanguages) {
  for (const Face& face : faces()) {
    const auto has = [&](char32_t code) {
      return std::ranges::binary_search(face.glyphs, code, {}, &Glyph::code);
    };
    const std::u32string wanted =
        U"AZaz09~ÄÖÜßéèñçåøÆŁłŞşĞğİıŐőČčŽžȘșΑΩαωϊЖжЯяЁёЇїҐґẤấƠơƯư–—“”„«»…€₽→−";
    for (const char32_t code : wanted) {
      EXPECT_TRUE(has(code)) << std::hex << static_cast<uint32_t>(code);
    }
    EXPECT_FALSE(has(U'漢'));
  }
}

TEST(Font, EverythingIsDrawnWithinItsLine) {
  const std::string long_text =
      "jÅ\u1ea4gy|_@W\u0416\u03a9f\u0456\u0457\u00c7q(j) e\u0301 A\u030a " + kLacking + "\xff";
  for (const TextSize size : kAllSizes) {
    for (const std::string& text : {std::string("j"), std::string("f"), kLacking, long_text}) {
      const image::Image wide = drawn(text, size, 20);
      const image::Image tight = drawn(text, size);
      EXPECT_GT(lit(tight), 0) << text;
      EXPECT_EQ(lit(wide), lit(tight)) << text;  // no pixel is drawn outside the line
    }
  }
}

TEST(Font, LettersDiffer) {
  for (const TextSize size : kAllSizes) {
    std::set<std::vector<uint8_t>> seen;
    for (char character = '!'; character < 127; ++character) {
      image::Image image = black(line_rows(size), 2 * line_rows(size));
      draw_text(image, 0, 0, std::string(1, character), size, {255, 255, 255});
      EXPECT_GT(lit(image), 0) << character;
      EXPECT_TRUE(seen.insert(image.pixels).second) << "glyph drawn twice: " << character;
    }
  }
}

TEST(Font, CapitalsStandWhereTheyAreSaidTo) {
  for (const TextSize size : kAllSizes) {
    const image::Image image = drawn("H", size);
    const auto is_lit = [&](int64_t row) {
      for (int64_t col = 0; col < image.cols; ++col) {
        if (test::pixel(image, row, col) != Colour{0, 0, 0}) return true;
      }
      return false;
    };
    for (int64_t row = 0; row < image.rows; ++row) {
      const int64_t in_capital = row - capital_top(size);
      EXPECT_EQ(is_lit(row), in_capital >= 0 && in_capital < capital_rows(size)) << row;
    }
  }
}

TEST(Font, WhatIsNotThereIsABox) {
  for (const TextSize size : kAllSizes) {
    const image::Image box = drawn(kLacking, size);
    EXPECT_NE(box.pixels, drawn(kHas, size).pixels);
    for (const std::string& text :
         {std::string("\xff"), std::string("\xc3"), std::string("\x80"), std::string("\n"),
          std::string("\x7f"), std::string("\U0001f600")}) {
      EXPECT_EQ(drawn(text, size).pixels, box.pixels) << text;
    }
    // An invalid byte does not consume the characters after it.
    EXPECT_EQ(drawn("\xc3H", size).pixels, drawn(kLacking + "H", size).pixels);
    EXPECT_EQ(text_cols("\xff\xfe", size), text_cols(kLacking + kLacking, size));
  }
}

TEST(Font, AccentsStandOnTheLetterBeforeThem) {
  for (const TextSize size : kAllSizes) {
    EXPECT_EQ(text_cols("e\u0301", size), text_cols("e", size));
    EXPECT_GT(lit(drawn("e\u0301", size)), lit(drawn("e", size)));
  }
}

TEST(Font, MeasuresWhatItDraws) {
  EXPECT_EQ(text_cols("", TextSize::kSmall), 0);
  for (const TextSize size : kAllSizes) {
    EXPECT_GT(text_cols("W", size), text_cols("i", size));
    EXPECT_GT(text_cols("a b", size), text_cols("ab", size));
    EXPECT_GE(text_cols("aaaa", size), 4 * text_cols("a", size) - 4);
  }
  for (size_t i = 1; i < kAllSizes.size(); ++i) {
    EXPECT_GT(text_cols("text", kAllSizes[i]), text_cols("text", kAllSizes[i - 1]));
    EXPECT_GT(line_rows(kAllSizes[i]), line_rows(kAllSizes[i - 1]));
    EXPECT_GT(text_unit(kAllSizes[i]), text_unit(kAllSizes[i - 1]));
  }
}

TEST(Font, MixesWithWhatIsBelowByCoverage) {
  image::Image image = black(40, 60);
  std::fill(image.pixels.begin(), image.pixels.end(), uint8_t{100});
  draw_text(image, 5, 5, "Ag", TextSize::kMedium, {200, 100, 0});
  EXPECT_GT(test::count(image, Colour{200, 100, 0}), 5);  // full coverage in the centres of strokes
  for (size_t at = 0; at < image.pixels.size(); at += 3) {
    const int red = image.pixels[at] - 100, blue = 100 - image.pixels[at + 2];
    EXPECT_EQ(image.pixels[at + 1], 100);
    EXPECT_NEAR(red, blue, 1);
    EXPECT_GE(red, 0);
  }
}

TEST(Font, LeavesOutWhatFallsOutside) {
  image::Image image = black(4, 4);
  draw_text(image, 100, 100, "far away", TextSize::kHuge, {9, 9, 9});
  draw_text(image, -100, -100, "far away", TextSize::kHuge, {9, 9, 9});
  EXPECT_EQ(lit(image), 0);
  draw_text(image, -20, -5, "HHHH", TextSize::kHuge, {9, 9, 9});
  EXPECT_GT(lit(image), 0);
}

TEST(Font, WrapsAtBlanksAndCutsLongWords) {
  constexpr TextSize kSize = TextSize::kSmall;
  const int64_t six = text_cols("reconn", kSize);
  EXPECT_EQ(wrap_text("all views here", six, kSize),
            (std::vector<std::string>{"all", "views", "here"}));
  EXPECT_EQ(wrap_text("a bc  def", text_cols("a bc", kSize), kSize),
            (std::vector<std::string>{"a bc", "def"}));
  std::string joined;
  for (const std::string& line : wrap_text("reconstruction", six, kSize)) joined += line;
  EXPECT_EQ(joined, "reconstruction");
  EXPECT_GT(wrap_text("reconstruction", six, kSize).size(), 2u);
  EXPECT_EQ(wrap_text("", six, kSize), std::vector<std::string>{});
  EXPECT_EQ(wrap_text("äö", 1, kSize), (std::vector<std::string>{"ä", "ö"}));
  for (const std::string& line : wrap_text("üüü\xff words of any length", 60, kSize)) {
    EXPECT_LE(text_cols(line, kSize), 60) << line;
  }
}

TEST(Font, LongTextIsCutAndSaysSo) {
  constexpr TextSize kSize = TextSize::kMedium;
  const std::string name = "chest of drawers";
  EXPECT_EQ(cut_text(name, text_cols(name, kSize), kSize), name);
  EXPECT_TRUE(cut_text(name, text_cols(name, kSize) - 1, kSize).ends_with("…"));
  // There is no space before the ellipsis, and no character is cut.
  EXPECT_EQ(cut_text(name, text_cols("chest …", kSize), kSize), "chest…");
  EXPECT_EQ(cut_text("äöüäöü", text_cols("äöü…", kSize), kSize), "äöü…");
  EXPECT_EQ(cut_text("sidewalk", 1, kSize), "s…");
  EXPECT_EQ(cut_text("", 1, kSize), "");
  for (int64_t cols = text_cols("W…", kSize); cols < 300; ++cols) {
    EXPECT_LE(text_cols(cut_text("Wide and long name, that is cut", cols, kSize), kSize), cols);
  }
}

double wcag_contrast(Colour a, Colour b) {
  const auto light = [](Colour colour) {
    double sum = 0;
    constexpr std::array kWeights{0.2126, 0.7152, 0.0722};
    for (size_t i = 0; i < 3; ++i) {
      const double value = colour[i] / 255.0;
      sum +=
          kWeights[i] * (value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4));
    }
    return sum + 0.05;
  };
  return std::max(light(a), light(b)) / std::min(light(a), light(b));
}

TEST(Font, InkCanBeReadOnAnyGround) {
  for (int red = 0; red < 256; red += 15) {
    for (int green = 0; green < 256; green += 15) {
      for (int blue = 0; blue < 256; blue += 15) {
        const Colour ground{static_cast<uint8_t>(red), static_cast<uint8_t>(green),
                            static_cast<uint8_t>(blue)};
        EXPECT_GE(wcag_contrast(ground, ink_on(ground)), 4.5);
      }
    }
  }
  EXPECT_LT(wcag_contrast({128, 128, 128}, {255, 255, 255}), 4.5);  // white ink fails here
}

TEST(Font, LargerImagesHaveLargerText) {
  EXPECT_EQ(text_size_for(400), TextSize::kSmall);
  EXPECT_EQ(text_size_for(640), TextSize::kMedium);
  EXPECT_EQ(text_size_for(1500), TextSize::kLarge);
  EXPECT_EQ(text_size_for(5000), TextSize::kHuge);
}

}  // namespace
}  // namespace fcm::viz
