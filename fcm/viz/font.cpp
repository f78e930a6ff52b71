#include "fcm/viz/font.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "fcm/base/characters.h"
#include "fcm/base/error.h"
#include "fcm/viz/glyphs.h"

namespace fcm::viz {

namespace {

constexpr int kWhole = 15;  // coverage of a fully covered pixel

const Face& face_of(TextSize size) { return faces()[static_cast<size_t>(size)]; }

// A character and its position on a line.
struct PlacedGlyph {
  const Glyph* glyph = nullptr;  // nullptr: drawn as a box
  int64_t left = 0;              // column of its first pixel
};

struct Line {
  std::vector<PlacedGlyph> glyphs;
  int64_t cols = 0;
};

int64_t box_cols(const Face& face) { return (face.capital + 1) * 2 / 3; }

const Glyph* find(const Face& face, char32_t code) {
  const auto found = std::ranges::lower_bound(face.glyphs, code, {}, &Glyph::code);
  return found != face.glyphs.end() && found->code == code ? &*found : nullptr;
}

Line placed(std::string_view text, TextSize size) {
  const Face& face = face_of(size);
  Line line;
  int64_t pen = 0, first = 0;
  for (const Character& one : characters(text)) {
    const Glyph* glyph = find(face, one.point);
    const int64_t left = pen + (glyph ? glyph->left : 1);
    const int64_t right = left + (glyph ? glyph->cols : box_cols(face));
    line.glyphs.push_back({glyph, left});
    first = std::min(first, left);
    pen += glyph ? glyph->advance : box_cols(face) + 2;
    line.cols = std::max({line.cols, pen, right});
  }
  // If the first letter reaches left of the pen (a j), the whole line is shifted to the right.
  for (PlacedGlyph& one : line.glyphs) one.left -= first;
  line.cols -= first;
  return line;
}

// Blends a pixel with `share` fifteenths of the colour; pixels outside the image are ignored.
void cover(image::Image& image, int64_t row, int64_t col, int share, Colour colour) {
  if (row < 0 || col < 0 || row >= image.rows || col >= image.cols) return;
  uint8_t* pixel = image.pixels.data() + (row * image.cols + col) * 3;
  for (size_t channel = 0; channel < 3; ++channel) {
    pixel[channel] = static_cast<uint8_t>(
        (pixel[channel] * (kWhole - share) + colour[channel] * share + kWhole / 2) / kWhole);
  }
}

void draw_glyph(image::Image& image, int64_t base, int64_t left, const Glyph& glyph,
                Colour colour) {
  size_t at = glyph.first;
  for (int64_t row = base - glyph.top; row < base - glyph.top + glyph.rows; ++row) {
    for (int64_t col = left; col < left + glyph.cols; ++col, ++at) {
      const int share = packed_coverage()[at / 2] >> (at % 2 * 4) & kWhole;
      if (share > 0) cover(image, row, col, share, colour);
    }
  }
}

void draw_box(image::Image& image, int64_t base, int64_t left, const Face& face, Colour colour) {
  const int64_t top = base - face.capital, right = left + box_cols(face) - 1;
  for (int64_t row = top; row < base; ++row) {
    for (int64_t col = left; col <= right; ++col) {
      const bool edge = row == top || row == base - 1 || col == left || col == right;
      if (edge) cover(image, row, col, kWhole, colour);
    }
  }
}

// The longest prefix of at most `cols` pixels, but at least one character.
std::string_view fitting(std::string_view text, int64_t cols, TextSize size) {
  size_t bytes = 0;
  for (const Character& one : characters(text)) {
    const size_t with = bytes + one.bytes.size();
    if (bytes > 0 && text_cols(text.substr(0, with), size) > cols) break;
    bytes = with;
  }
  return text.substr(0, bytes);
}

// Relative luminance of WCAG 2, 0 to 1.
double luminance(Colour colour) {
  const auto linear = [](uint8_t byte) {
    const double value = byte / 255.0;
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour[0]) + 0.7152 * linear(colour[1]) + 0.0722 * linear(colour[2]);
}

}  // namespace

TextSize text_size_for(int64_t side) {
  if (side < 480) return TextSize::kSmall;
  if (side < 1000) return TextSize::kMedium;
  return side < 1700 ? TextSize::kLarge : TextSize::kHuge;
}

int64_t line_rows(TextSize size) { return face_of(size).ascent + face_of(size).descent; }
int64_t capital_top(TextSize size) { return face_of(size).ascent - face_of(size).capital; }
int64_t capital_rows(TextSize size) { return face_of(size).capital; }
int64_t text_unit(TextSize size) { return (face_of(size).pixels + 3) / 7; }

int64_t text_cols(std::string_view text, TextSize size) { return placed(text, size).cols; }

std::vector<std::string> wrap_text(std::string_view text, int64_t cols, TextSize size) {
  std::vector<std::string> lines;
  std::string line;
  const auto close = [&] {
    if (!line.empty()) lines.push_back(std::exchange(line, {}));
  };
  while (!text.empty()) {
    const size_t blank = std::min(text.find(' '), text.size());
    std::string_view word = text.substr(0, blank);
    text.remove_prefix(std::min(blank + 1, text.size()));
    if (word.empty()) continue;
    if (!line.empty() && text_cols(line + ' ' + std::string(word), size) > cols) close();
    while (text_cols(word, size) > cols) {
      const std::string_view part = fitting(word, cols, size);
      if (part.size() == word.size()) break;
      lines.emplace_back(part);
      word.remove_prefix(part.size());
    }
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  close();
  return lines;
}

std::string cut_text(std::string_view text, int64_t cols, TextSize size) {
  constexpr std::string_view kEllipsis = "\u2026";
  if (text_cols(text, size) <= cols) return std::string(text);
  std::string_view left = fitting(text, cols - text_cols(kEllipsis, size), size);
  while (left.size() > 1 && (left.back() == ' ' || left.back() == ',')) left.remove_suffix(1);
  return std::string(left) + std::string(kEllipsis);
}

void draw_text(image::Image& image, int64_t row, int64_t col, std::string_view text, TextSize size,
               Colour colour) {
  require(image.channels == 3, "expected an RGB image to draw text on, got {} channels",
          image.channels);
  const Face& face = face_of(size);
  const int64_t base = row + face.ascent;
  for (const PlacedGlyph& one : placed(text, size).glyphs) {
    if (one.glyph) {
      draw_glyph(image, base, col + one.left, *one.glyph, colour);
    } else {
      draw_box(image, base, col + one.left, face, colour);
    }
  }
}

Colour ink_on(Colour ground) {
  // The luminance with equal contrast to both: sqrt(1.05 * 0.05) - 0.05.
  constexpr double kMiddle = 0.179;
  return luminance(ground) > kMiddle ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

}  // namespace fcm::viz
