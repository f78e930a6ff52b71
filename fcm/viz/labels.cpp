#include "fcm/viz/labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/viz/canvas.h"
#include "fcm/viz/class_map.h"
#include "fcm/viz/font.h"

namespace fcm::viz {
namespace {

constexpr int64_t kLeastSideOfImage = 320;
constexpr int64_t kLeastCols = 320;    // room for names, bars and figures
constexpr int64_t kEdgeUnits = 6;      // around everything, and next to bars
constexpr double kShareOfNames = 0.5;  // of the width: at most for names
constexpr const char* kWidestFigure = "100.0 %";
constexpr Colour kBar{38, 110, 185}, kBarGround{226, 229, 233};

// Width of the column of names.
int64_t room_for_names(const std::vector<ShownLabel>& labels, int64_t cols, TextSize text) {
  int64_t widest = 0;
  for (const ShownLabel& label : labels) widest = std::max(widest, text_cols(label.name, text));
  return std::min(widest, static_cast<int64_t>(kShareOfNames * static_cast<double>(cols)));
}

}  // namespace

image::Image labels_under_image(const image::Image& image, const std::vector<ShownLabel>& labels) {
  const image::Image drawn = enlarge(image, enlargement(image, kLeastSideOfImage));
  const TextSize text = text_size_for(std::max(drawn.rows, drawn.cols));
  const int64_t edge = kEdgeUnits * text_unit(text), line = line_rows(text);
  const int64_t cols = std::max(drawn.cols, kLeastCols);
  image::Image out = blank(drawn.rows + 3 * edge + std::ssize(labels) * line, cols + 2 * edge);
  paste(out, drawn, edge, edge);
  const int64_t name_cols = room_for_names(labels, cols, text);
  const int64_t bar_left = edge + name_cols + edge;
  const int64_t bar_cols =
      std::max<int64_t>(1, cols - name_cols - 2 * edge - text_cols(kWidestFigure, text));
  int64_t top = drawn.rows + 2 * edge;
  for (const ShownLabel& label : labels) {
    draw_text(out, top, edge, cut_text(label.name, name_cols, text), text, kInk);
    const double share = std::clamp(label.score, 0.0, 1.0);
    const image::Box bar{top + capital_top(text), bar_left, capital_rows(text), bar_cols};
    fill_box(out, bar, kBarGround);
    fill_box(out,
             {bar.top, bar.left, bar.rows, std::llround(share * static_cast<double>(bar_cols))},
             kBar);
    const std::string figure = fmt::format("{:.1f} %", 100 * share);
    draw_text(out, top, edge + cols - text_cols(figure, text), figure, text, kSoftInk);
    top += line;
  }
  return out;
}

}  // namespace fcm::viz
