// Renders the glyphs of a font at build time into a C++ file that defines what fcm/viz/glyphs.h
// declares. The program then needs neither the font nor FreeType.
//
// Usage: draw_font FONT.ttf OUT.cpp
#include <ft2build.h>
#include FT_FREETYPE_H

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace {

// Pixels per em, ascending. Glyphs are rendered for each size, because hinted outlines are sharp
// and scaled bitmaps are not.
constexpr std::array kSizes{13, 18, 26, 36};

// First and last code points of the supported scripts; DejaVu Sans may lack some. Other characters
// are drawn as a box (fcm/viz/font.h).
constexpr std::array<std::pair<char32_t, char32_t>, 10> kRanges{{
    {0x0020, 0x007E},  // ASCII
    {0x00A0, 0x024F},  // Latin-1, Latin Extended-A and -B
    {0x0300, 0x036F},  // combining accents
    {0x0370, 0x03FF},  // Greek
    {0x0400, 0x052F},  // Cyrillic
    {0x1E00, 0x1EFF},  // Latin Extended Additional: Vietnamese among others
    {0x2010, 0x2044},  // punctuation
    {0x20A0, 0x20BF},  // currencies
    {0x2190, 0x2193},  // arrows
    {0x2212, 0x2212},  // minus
}};

struct Drawn {
  char32_t code = 0;
  int left = 0, top = 0, rows = 0, cols = 0, advance = 0;
  size_t first = 0;  // index of its coverage, in 4-bit values
};

// All glyphs of the font at one size.
struct Size {
  int pixels = 0, ascent = 0, descent = 0, capital = 0;
  std::vector<Drawn> glyphs;
};

[[noreturn]] void stop(const std::string& why) {
  std::fprintf(stderr, "draw_font: %s\n", why.c_str());
  std::exit(1);
}

Drawn draw(FT_Face face, char32_t code, std::vector<uint8_t>& coverage) {
  if (FT_Load_Char(face, code, FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT) != 0) {
    stop("a glyph cannot be drawn");
  }
  const FT_GlyphSlot slot = face->glyph;
  const FT_Bitmap& bitmap = slot->bitmap;
  const Drawn drawn{code,
                    slot->bitmap_left,
                    slot->bitmap_top,
                    static_cast<int>(bitmap.rows),
                    static_cast<int>(bitmap.width),
                    static_cast<int>((slot->advance.x + 32) >> 6),
                    coverage.size()};
  for (int row = 0; row < drawn.rows; ++row) {
    for (int col = 0; col < drawn.cols; ++col) {
      const int byte = bitmap.buffer[row * bitmap.pitch + col];
      coverage.push_back(static_cast<uint8_t>((byte * 15 + 127) / 255));
    }
  }
  return drawn;
}

Size draw_size(FT_Face face, int pixels, std::vector<uint8_t>& coverage) {
  if (FT_Set_Pixel_Sizes(face, 0, static_cast<FT_UInt>(pixels)) != 0) stop("a size is refused");
  Size size;
  size.pixels = pixels;
  for (const auto& [first, last] : kRanges) {
    for (char32_t code = first; code <= last; ++code) {
      if (FT_Get_Char_Index(face, code) == 0) continue;
      const Drawn glyph = draw(face, code, coverage);
      size.ascent = std::max(size.ascent, glyph.top);
      size.descent = std::max(size.descent, glyph.rows - glyph.top);
      if (code == U'H') size.capital = glyph.top;
      size.glyphs.push_back(glyph);
    }
  }
  return size;
}

void write_coverage(std::FILE* out, const std::vector<uint8_t>& coverage) {
  std::fputs("const char kPacked[] =\n", out);
  constexpr size_t kALine = 40;
  for (size_t at = 0; at < coverage.size(); at += 2 * kALine) {
    std::fputs("    \"", out);
    for (size_t i = at; i < std::min(at + 2 * kALine, coverage.size()); i += 2) {
      const int high = i + 1 < coverage.size() ? coverage[i + 1] : 0;
      std::fprintf(out, "\\%03o", static_cast<unsigned>(coverage[i] | high << 4));
    }
    std::fputs("\"\n", out);
  }
  std::fputs("    ;\n", out);
}

void write(std::FILE* out, const std::vector<Size>& sizes, const std::vector<uint8_t>& coverage) {
  std::fputs(
      "// Made by cmake/draw_font.cpp.\n#include \"fcm/viz/glyphs.h\"\n\n"
      "namespace fcm::viz {\nnamespace {\n\n",
      out);
  write_coverage(out, coverage);
  for (const Size& size : sizes) {
    std::fprintf(out, "constexpr Glyph kGlyphs%d[] = {\n", size.pixels);
    for (const Drawn& one : size.glyphs) {
      std::fprintf(out, "    {%u, %d, %d, %d, %d, %d, %zu},\n", static_cast<unsigned>(one.code),
                   one.left, one.top, one.rows, one.cols, one.advance, one.first);
    }
    std::fputs("};\n", out);
  }
  std::fputs("constexpr Face kFaces[] = {\n", out);
  for (const Size& size : sizes) {
    std::fprintf(out, "    {%d, %d, %d, %d, kGlyphs%d},\n", size.pixels, size.ascent, size.descent,
                 size.capital, size.pixels);
  }
  std::fputs(
      "};\n\n}  // namespace\n\n"
      "std::span<const Face> faces() { return kFaces; }\n\n"
      "const uint8_t* packed_coverage() { return reinterpret_cast<const uint8_t*>(kPacked); }\n\n"
      "}  // namespace fcm::viz\n",
      out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) stop("usage: draw_font FONT.ttf OUT.cpp");
  FT_Library library = nullptr;
  FT_Face face = nullptr;
  if (FT_Init_FreeType(&library) != 0) stop("FreeType does not start");
  if (FT_New_Face(library, argv[1], 0, &face) != 0) stop(std::string("no font in ") + argv[1]);
  std::vector<Size> sizes;
  std::vector<uint8_t> coverage;
  for (const int pixels : kSizes) sizes.push_back(draw_size(face, pixels, coverage));
  FT_Done_Face(face);
  FT_Done_FreeType(library);
  std::FILE* out = std::fopen(argv[2], "w");
  if (out == nullptr) stop(std::string("cannot write ") + argv[2]);
  write(out, sizes, coverage);
  if (std::fclose(out) != 0) stop(std::string("cannot write ") + argv[2]);
}
