#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fcm/base/counted.h"
#include "fcm/base/error.h"
#include "fcm/viz/axis.h"
#include "fcm/viz/chart.h"
#include "fcm/viz/svg.h"
#include "fcm/viz/text.h"

namespace fcm::viz {

namespace {

constexpr size_t kColours = 6;
constexpr size_t kRunColours = 4;
constexpr size_t kMostHits = 80;   // points with a tooltip: per line; in comparisons of all lines
constexpr size_t kLeastHits = 12;  // per compared run, even if the sum exceeds kMostHits

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

struct Frame {
  double left, top, right, bottom;
  Axis x, y;

  double at_x(double value) const { return left + x.place(value) * (right - left); }
  double at_y(double value) const { return bottom - y.place(value) * (bottom - top); }
};

// CSS classes that distinguish a series.
struct Look {
  std::string stroke, fill;
};

bool can_show(double value, Scale scale) {
  return std::isfinite(value) && (scale == Scale::kLinear || value > 0);
}

Series without_values(const Series& series) {
  return {series.name, {}, {}, series.background, series.dots, series.run};
}

// The series without values that cannot be drawn. A single NaN replaces each stretch of them; the
// line has a gap there.
Series shown(const Series& series, Scale x_scale, Scale y_scale) {
  require(series.x.size() == series.y.size(),
          "series {}: expected as many x as y values, got {} and {}", series.name, series.x.size(),
          series.y.size());
  Series out = without_values(series);
  for (size_t i = 0; i < series.x.size(); ++i) {
    const bool good = can_show(series.x[i], x_scale) && can_show(series.y[i], y_scale);
    if (!good && (out.y.empty() || std::isnan(out.y.back()))) continue;
    out.x.push_back(good ? series.x[i] : kGap);
    out.y.push_back(good ? series.y[i] : kGap);
  }
  return out;
}

// Thins a long line: keeps the lowest and the highest value of each stretch, so peaks stay visible.
Series thinned(const Series& series, size_t most_points) {
  if (series.y.size() <= most_points) return series;
  Series out = without_values(series);
  const size_t stretches = most_points / 2;
  for (size_t s = 0; s < stretches; ++s) {
    const size_t first = s * series.y.size() / stretches;
    const size_t end = (s + 1) * series.y.size() / stretches;
    std::vector<size_t> good;
    for (size_t i = first; i < end; ++i) {
      if (!std::isnan(series.y[i])) good.push_back(i);
    }
    const bool gap = good.size() < end - first;
    if (!good.empty()) {
      const auto [low, high] = std::minmax_element(
          good.begin(), good.end(), [&](size_t a, size_t b) { return series.y[a] < series.y[b]; });
      for (const size_t i : {std::min(*low, *high), std::max(*low, *high)}) {
        out.x.push_back(series.x[i]);
        out.y.push_back(series.y[i]);
      }
    }
    if (gap) {
      out.x.push_back(kGap);
      out.y.push_back(kGap);
    }
  }
  return out;
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  size_t outside = 0;  // values beyond the range

  bool empty() const { return low > high; }
  void take(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// The range of values. With `trim` and 20 or more values it leaves out outliers: of the lowest and
// the highest 1 % (at least one value each) those whose distance from the other values is more than
// twice the range of these.
Range range_of(std::vector<double> values, bool trim) {
  Range range;
  if (values.empty()) return range;
  std::sort(values.begin(), values.end());
  const size_t cut = values.size() >= 20 && trim ? std::max<size_t>(1, values.size() / 100) : 0;
  const double inner_low = values[cut];
  const double inner_high = values[values.size() - 1 - cut];
  // Halved, because the difference of two large numbers may overflow.
  const double reach = inner_high / 2 - inner_low / 2;
  const auto far_off = [&](double value) {
    return cut > 0 &&
           (value / 2 - inner_high / 2 > 2 * reach || inner_low / 2 - value / 2 > 2 * reach);
  };
  for (const double value : values) {
    if (far_off(value)) {
      ++range.outside;
    } else {
      range.take(value);
    }
  }
  return range;
}

std::string axes(const Frame& frame, const LineChart& chart) {
  std::string out;
  for (size_t i = 0; i < frame.y.ticks.size(); ++i) {
    const double y = std::round(frame.at_y(frame.y.ticks[i])) + 0.5;
    out += svg::line("grid", frame.left, y, frame.right, y);
    out += svg::text("soft", frame.left - 8, y + 4, svg::Anchor::kEnd, frame.y.labels[i]);
  }
  const double base = std::round(frame.bottom) + 0.5;
  out += svg::line("base", frame.left, base, frame.right, base);
  double free_from = -1e9;
  for (size_t i = 0; i < frame.x.ticks.size(); ++i) {
    const double x = frame.at_x(frame.x.ticks[i]);
    out += svg::line("base", x, base, x, base + 4);
    const double half = svg::text_width(frame.x.labels[i], 12) / 2;
    if (x - half < free_from) continue;
    out += svg::text("soft", x, frame.bottom + 18, svg::Anchor::kMiddle, frame.x.labels[i]);
    free_from = x + half + 8;
  }
  out += svg::text("soft", frame.right, frame.bottom + 34, svg::Anchor::kEnd, chart.x_label);
  return out;
}

// The index of the last value; 0 if there is none.
size_t last_value(const Series& series) {
  size_t last = 0;
  for (size_t i = 0; i < series.y.size(); ++i) {
    if (!std::isnan(series.y[i])) last = i;
  }
  return last;
}

std::string draw_series(const Series& series, const Frame& frame, const Look& look) {
  std::string path;
  std::string dots;
  bool pen_down = false;
  const size_t last = last_value(series);
  for (size_t i = 0; i < series.y.size(); ++i) {
    if (std::isnan(series.y[i])) {
      pen_down = false;
      continue;
    }
    const std::string x = svg::coordinate(frame.at_x(series.x[i]));
    const std::string y = svg::coordinate(frame.at_y(series.y[i]));
    path += fmt::format("{}{} {}", pen_down ? "L" : "M", x, y);
    const bool alone = !pen_down && (i + 1 == series.y.size() || std::isnan(series.y[i + 1]));
    const bool ends = series.run >= 0 && i == last;
    if (series.dots || alone || ends) {
      dots += fmt::format(R"(<circle class="dot {}" cx="{}" cy="{}" r="{}"/>)", look.fill, x, y,
                          series.background ? 1.5 : 3.0);
    }
    pen_down = true;
  }
  return fmt::format(R"(<path class="line{} {}" d="{}"/>)", series.background ? " back" : "",
                     look.stroke, path) +
         dots;
}

// Invisible circles along the line that show their values as tooltips.
std::string draw_hits(const Series& series, const Frame& frame, const Look& look,
                      const LineChart& chart) {
  std::vector<size_t> good;
  for (size_t i = 0; i < series.y.size(); ++i) {
    if (!std::isnan(series.y[i])) good.push_back(i);
  }
  const size_t share = std::max(kLeastHits, kMostHits / std::max<size_t>(1, chart.series.size()));
  const size_t count = std::min(good.size(), series.run < 0 ? kMostHits : share);
  std::string out;
  for (size_t h = 0; h < count; ++h) {
    const size_t i = good[count == 1 ? 0 : h * (good.size() - 1) / (count - 1)];
    const std::string label =
        fmt::format("{}{} {}: {} {}", series.name.empty() ? "" : series.name + ", ", chart.x_label,
                    format_value(series.x[i], 8), format_value(series.y[i], 5), chart.unit);
    out += fmt::format(R"(<circle class="hit {}" cx="{}" cy="{}" r="5"><title>{}</title></circle>)",
                       look.fill, svg::coordinate(frame.at_x(series.x[i])),
                       svg::coordinate(frame.at_y(series.y[i])), escape(label));
  }
  return out;
}

// Series in one row at the top right, or below the title if the row is too long for that.
struct Legend {
  std::string markup;
  bool own_row = false;
};

Legend legend(const LineChart& chart, const std::vector<Look>& looks) {
  if (!chart.has_legend) return {};
  double width = 0;
  for (const Series& series : chart.series) {
    if (!series.name.empty()) width += 22 + svg::text_width(series.name, 12) + 16;
  }
  Legend out;
  const double title =
      svg::text_width(chart.title, 13) * 1.1 + svg::text_width(chart.unit, 12) + 24;
  out.own_row = width > 0 && title + width > chart.width;
  double x = out.own_row ? 0 : chart.width - width + 16;
  const double y = out.own_row ? 34 : 14;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    if (series.name.empty()) continue;
    out.markup +=
        svg::line(fmt::format("key {}{}", looks[i].stroke, series.background ? " back" : ""), x,
                  y - 4, x + 14, y - 4);
    out.markup += svg::text("", x + 22, y, svg::Anchor::kStart, series.name);
    x += 22 + svg::text_width(series.name, 12) + 16;
  }
  return out;
}

Look look_of_run(size_t run) {
  const size_t colour = run % kRunColours, dashes = run / kRunColours;
  return {fmt::format("r{} d{}", colour, dashes), fmt::format("q{}", colour)};
}

// A background series has the colour of the next series that is not in the background.
std::vector<Look> looks_of(const std::vector<Series>& series) {
  std::vector<Look> looks;
  size_t next = 0;
  for (const Series& one : series) {
    const size_t colour = next % kColours;
    looks.push_back(one.run < 0 ? Look{fmt::format("s{}", colour), fmt::format("f{}", colour)}
                                : look_of_run(static_cast<size_t>(one.run)));
    if (!one.background) ++next;
  }
  return looks;
}

Axis y_axis(const LineChart& chart, const Range& range) {
  const int wanted = std::max(2, static_cast<int>(chart.height / 52));
  if (chart.scale == Scale::kLog) return log_axis(range.low, range.high, wanted);
  const double low = chart.from_zero ? std::min(0.0, range.low) : range.low;
  const double high = chart.from_zero ? std::max(0.0, range.high) : range.high;
  return linear_axis(low, high, wanted, true);
}

Axis x_axis(const LineChart& chart, Range range) {
  // Starts a linear axis at 0 if the first x is near 0 (step 20 of 1000), or if there is only one
  // x.
  const bool near_zero = range.low < 0.15 * range.high || range.low == range.high;
  if (range.low > 0 && near_zero && chart.x_scale == Scale::kLinear) range.low = 0;
  const int wanted = std::max(2, static_cast<int>(chart.width / 90));
  if (chart.x_scale == Scale::kLog) return log_axis(range.low, range.high, wanted);
  return linear_axis(range.low, range.high, wanted, false, chart.whole_x ? 1 : 0);
}

}  // namespace

std::string line_chart(const LineChart& chart, ChartUse use) {
  std::string out = svg::open(chart.width, chart.height, chart.title, chart.unit, use);
  const std::vector<Look> looks = looks_of(chart.series);
  std::vector<Series> series;
  Range x_range;
  std::vector<double> all_y;
  for (const Series& one : chart.series) {
    series.push_back(shown(one, chart.x_scale, chart.scale));
    for (size_t i = 0; i < series.back().y.size(); ++i) {
      if (std::isnan(series.back().y[i])) continue;
      x_range.take(series.back().x[i]);
      all_y.push_back(series.back().y[i]);
    }
  }
  const Range y_range = range_of(all_y, chart.trim_outliers);
  if (y_range.empty()) {
    return out +
           svg::text("soft", chart.width / 2, chart.height / 2, svg::Anchor::kMiddle, "no data") +
           "</svg>";
  }
  const Legend names = legend(chart, looks);
  Frame frame{0, names.own_row ? 54.0 : 34.0, chart.width - 4, chart.height - 40, {}, {}};
  frame.y = y_axis(chart, y_range);
  for (const std::string& label : frame.y.labels) {
    frame.left = std::max(frame.left, svg::text_width(label, 12) + 12);
  }
  frame.x = x_axis(chart, x_range);
  if (!frame.x.ticks.empty() && frame.x.place(frame.x.ticks.back()) > 0.96) {
    frame.right -= svg::text_width(frame.x.labels.back(), 12) / 2;  // room for the whole last label
  }
  out += names.markup + axes(frame, chart);
  std::string hits;
  for (const bool background : {true, false}) {
    for (size_t i = 0; i < series.size(); ++i) {
      if (series[i].background != background) continue;
      const Series thin = thinned(series[i], chart.most_points);
      out += draw_series(thin, frame, looks[i]);
      if (!background) hits += draw_hits(thin, frame, looks[i], chart);
    }
  }
  if (y_range.outside > 0) {
    out += svg::text("soft", frame.left, frame.bottom + 34, svg::Anchor::kStart,
                     counted(static_cast<int64_t>(y_range.outside), "value", "values") +
                         " beyond the axis, drawn at its edge");
  }
  return out + hits + "</svg>";
}

std::string run_swatch(size_t run) {
  return R"(<svg class="fv swatch" viewBox="0 0 28 10" aria-hidden="true">)" +
         svg::line("line " + look_of_run(run).stroke, 1, 5, 27, 5) + "</svg>";
}

Series smoothed(const Series& series, size_t window) {
  constexpr size_t kMostPlaces = 600;
  constexpr size_t kLeastReach = 2;  // at the ends, so that a single raw value is not shown as
                                     // smoothed
  const Series all = shown(series, Scale::kLinear, Scale::kLinear);
  std::vector<double> x;
  std::vector<double> y;
  for (size_t i = 0; i < all.y.size(); ++i) {
    if (std::isnan(all.y[i])) continue;
    x.push_back(all.x[i]);
    y.push_back(all.y[i]);
  }
  Series out = without_values(series);
  const size_t count = std::min(y.size(), kMostPlaces);
  for (size_t place = 0; place < count; ++place) {
    const size_t i = count == 1 ? 0 : place * (y.size() - 1) / (count - 1);
    const size_t room = std::max(kLeastReach, std::min(i, y.size() - 1 - i));
    const size_t reach = std::min(window / 2, room);
    const auto first = y.begin() + static_cast<std::ptrdiff_t>(i - std::min(i, reach));
    const auto end = y.begin() + static_cast<std::ptrdiff_t>(std::min(i + reach + 1, y.size()));
    std::vector<double> near(first, end);
    std::sort(near.begin(), near.end());
    const size_t skip = near.size() / 4;
    double mean = 0;
    for (size_t n = skip; n < near.size() - skip; ++n) {
      mean += near[n] / static_cast<double>(near.size() - 2 * skip);
    }
    out.x.push_back(x[i]);
    out.y.push_back(mean);
  }
  return out;
}

}  // namespace fcm::viz
