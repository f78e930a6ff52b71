#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/viz/axis.h"
#include "fcm/viz/chart.h"
#include "fcm/viz/svg.h"
#include "fcm/viz/text.h"

namespace fcm::viz {
namespace {

constexpr double kRow = 16, kBetweenRows = 4, kHeader = 34;

std::string draw_span(const Span& span, double x, double width, double top, size_t colour) {
  std::string out = fmt::format(
      R"(<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="1">)",
      colour == 0 ? "f0" : fmt::format("n{}", std::min<size_t>(colour - 1, 2)), svg::coordinate(x),
      svg::coordinate(top), svg::coordinate(std::max(width, 1.0)), svg::coordinate(kRow));
  out += fmt::format("<title>{}</title></rect>", escape(span.label));
  if (colour == 0 || svg::text_width(span.label, 12) + 8 > width) return out;  // shown as a tooltip
  return out + svg::text("strong", x + width / 2, top + kRow - 4, svg::Anchor::kMiddle, span.label);
}

}  // namespace

std::string timeline(const Timeline& chart, ChartUse use) {
  double left = 0, end = 0;
  for (const TimelineRow& row : chart.rows) {
    left = std::max(left, svg::text_width(row.label, 12) + 14);
    for (const Span& span : row.spans) end = std::max(end, span.end);
  }
  const double right = chart.width - 12;
  const double rows = static_cast<double>(chart.rows.size()) * (kRow + kBetweenRows);
  std::string out = svg::open(chart.width, kHeader + rows + 32, chart.title, chart.unit, use);
  const Axis axis = linear_axis(0, end, 8, /*to_ticks=*/false);
  const auto at = [&](double value) { return left + axis.place(value) * (right - left); };
  for (size_t i = 0; i < axis.ticks.size(); ++i) {
    const double x = std::round(at(axis.ticks[i])) + 0.5;
    out += svg::line(i == 0 ? "base" : "grid", x, kHeader - 6, x, kHeader + rows);
    out += svg::text("soft", x, kHeader + rows + 18, svg::Anchor::kMiddle, axis.labels[i]);
  }
  double top = kHeader;
  for (const TimelineRow& row : chart.rows) {
    out += svg::text("", left - 14, top + kRow - 4, svg::Anchor::kEnd, row.label);
    for (size_t i = 0; i < row.spans.size(); ++i) {
      const Span& span = row.spans[i];
      out += draw_span(span, at(span.begin), at(span.end) - at(span.begin), top,
                       row.is_compared ? 1 + i % 2 : 0);
    }
    top += kRow + kBetweenRows;
  }
  return out + "</svg>";
}

}  // namespace fcm::viz
