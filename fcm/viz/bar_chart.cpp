#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fcm/base/error.h"
#include "fcm/viz/axis.h"
#include "fcm/viz/chart.h"
#include "fcm/viz/svg.h"
#include "fcm/viz/text.h"

namespace fcm::viz {

namespace {

constexpr double kBar = 16;
constexpr double kBarGap = 3;
constexpr double kGroupGap = 16;

// The last series has the accent colour. The others, which are baselines, have greys that get
// darker towards the last.
std::string fill_of(size_t series, size_t count) {
  return series + 1 == count ? "f0" : fmt::format("n{}", std::min<size_t>(series, 2));
}

std::string legend(const BarChart& chart) {
  std::string out;
  double x = chart.width;
  for (size_t s = chart.series.size(); s-- > 0;) {
    x -= svg::text_width(chart.series[s], 12);
    out += svg::text("", x, 14, svg::Anchor::kStart, chart.series[s]);
    x -= 18;
    out += fmt::format(R"(<rect class="{}" x="{}" y="4" width="12" height="12" rx="2"/>)",
                       fill_of(s, chart.series.size()), svg::coordinate(x));
    x -= 16;
  }
  return out;
}

ptrdiff_t bars_of(const BarGroup& group) {
  return std::count_if(group.values.begin(), group.values.end(),
                       [](double value) { return std::isfinite(value); });
}

double group_rows(const BarGroup& group) {
  return static_cast<double>(bars_of(group)) * (kBar + kBarGap) - kBarGap;
}

Axis value_axis(const BarChart& chart) {
  double low = 0;
  double high = chart.full_scale;
  for (const BarGroup& group : chart.groups) {
    require(group.values.size() == chart.series.size(),
            "bars of {}: got {} values, expected one for each of {} series", group.label,
            group.values.size(), chart.series.size());
    for (const double value : group.values) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  return linear_axis(low, high, 5, !(chart.full_scale > 0 && high == chart.full_scale && low == 0));
}

struct BarFrame {
  double left, right;
  Axis axis;
  double at(double value) const { return left + axis.place(value) * (right - left); }
};

std::string draw_bar(const BarChart& chart, const BarFrame& frame, size_t series, double value,
                     double top) {
  const double baseline = top + kBar - 4;
  const bool main = series + 1 == chart.series.size();
  const double from = std::min(frame.at(0), frame.at(value));
  const double length = std::max(1.0, std::abs(frame.at(value) - frame.at(0)));
  const std::string label = fmt::format("{:.{}f}", value, chart.decimals);
  std::string out =
      fmt::format(R"(<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2">)",
                  fill_of(series, chart.series.size()), svg::coordinate(from), svg::coordinate(top),
                  svg::coordinate(length), svg::coordinate(kBar));
  out += fmt::format("<title>{}</title></rect>",
                     escape(fmt::format("{}: {} {}", chart.series[series], label, chart.unit)));
  return out + svg::text(main ? "strong" : "soft", from + length + 6, baseline, svg::Anchor::kStart,
                         label);
}

}  // namespace

std::string bar_chart(const BarChart& all, ChartUse use) {
  BarChart chart = all;
  std::erase_if(chart.groups, [](const BarGroup& group) { return bars_of(group) == 0; });
  const double header = 34;
  double rows = -kGroupGap;
  for (const BarGroup& group : chart.groups) rows += group_rows(group) + kGroupGap;
  const bool empty = chart.groups.empty();
  const double height = header + (empty ? 60 : rows + 32);
  std::string out = svg::open(chart.width, height, chart.title, chart.unit, use);
  if (empty) {
    return out + svg::text("soft", chart.width / 2, header + 26, svg::Anchor::kMiddle, "no data") +
           "</svg>";
  }
  BarFrame frame{0, chart.width - 56, value_axis(chart)};
  for (const BarGroup& group : chart.groups) {
    frame.left = std::max(frame.left, svg::text_width(group.label, 12) + 14);
  }
  const double bottom = header + rows + 8;
  for (size_t i = 0; i < frame.axis.ticks.size(); ++i) {
    const double x = std::round(frame.at(frame.axis.ticks[i])) + 0.5;
    out += svg::line(frame.axis.ticks[i] == 0 ? "base" : "grid", x, header - 6, x, bottom);
    out += svg::text("soft", x, bottom + 16, svg::Anchor::kMiddle, frame.axis.labels[i]);
  }
  double top = header;
  for (const BarGroup& group : chart.groups) {
    out += svg::text("", frame.left - 14, top + group_rows(group) / 2 + 4, svg::Anchor::kEnd,
                     group.label);
    for (size_t series = 0; series < group.values.size(); ++series) {
      if (!std::isfinite(group.values[series])) continue;
      out += draw_bar(chart, frame, series, group.values[series], top);
      top += kBar + kBarGap;
    }
    top += kGroupGap - kBarGap;
  }
  return out + legend(chart) + "</svg>";
}

}  // namespace fcm::viz
