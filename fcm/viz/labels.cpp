#include "fcm/viz/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/viz/canvas.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/font.h"

namespace fcm::viz {
namespace {

constexpr int64_t kLeastSideOfPicture = 320;
constexpr int64_t kLeastCols = 320;     // that names, bars and figures have room
constexpr int64_t kPixelsOfText = 450;  // of the longer side that are worth one factor of the text
constexpr int64_t kEdgeDots = 6;        // around everything, in dots of the text
constexpr int64_t kFigureLetters = 7;   // "100.0 %"
constexpr double kShareOfNames = 0.5;   // of the columns
constexpr Colour kBar{38, 110, 185}, kBarGround{226, 229, 233};

}  // namespace

image::Image labels_under_picture(const image::Image& picture,
                                  const std::vector<ShownLabel>& labels) {
  const int64_t factor = enlargement(picture, kLeastSideOfPicture);
  const image::Image drawn = enlarge(picture, factor);
  const int64_t side = std::max(drawn.rows, drawn.cols);
  const int64_t text = std::max<int64_t>(2, (side + kPixelsOfText / 2) / kPixelsOfText);
  const int64_t edge = kEdgeDots * text, line = (kLineRows + 2) * text;
  const int64_t cols = std::max(drawn.cols, kLeastCols);
  image::Image out = blank(drawn.rows + 3 * edge + std::ssize(labels) * line, cols + 2 * edge);
  paste(out, drawn, edge, edge);
  const auto name_cols = static_cast<int64_t>(kShareOfNames * static_cast<double>(cols));
  const int64_t figure_cols = kFigureLetters * kAdvance * text;
  const int64_t bar_left = edge + name_cols + text * kAdvance;
  const int64_t bar_cols = std::max<int64_t>(1, edge + cols - figure_cols - bar_left);
  int64_t top = drawn.rows + 2 * edge;
  for (const ShownLabel& label : labels) {
    draw_text(out, top, edge, cut_text(label.name, name_cols, text), text, kInk);
    const double share = std::clamp(label.score, 0.0, 1.0);
    fill_box(out, {top, bar_left, kGlyphRows * text, bar_cols}, kBarGround);
    fill_box(
        out,
        {top, bar_left, kGlyphRows * text, std::llround(share * static_cast<double>(bar_cols))},
        kBar);
    const std::string figure = fmt::format("{:.1f} %", 100 * share);
    draw_text(out, top, edge + cols - text_cols(figure, text), figure, text, kSoftInk);
    top += line;
  }
  return out;
}

}  // namespace fcm::viz
