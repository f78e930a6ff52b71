#include "fcm/viz/chart_layout.h"

namespace fcm::viz::report {

namespace {

constexpr double kHalfWidth = 460;  // of paired charts, and of wide charts on narrow screens
constexpr double kHalfHeight = 230;
constexpr double kFullWidth = 952;

template <class Chart, class Draw>
std::string drawn_twice(Chart chart, Draw draw) {
  chart.width = kFullWidth;
  std::string out = "<div class=\"chart wide\"><div class=\"full\">" + draw(chart) + "</div>";
  chart.width = kHalfWidth;
  return out + "<div class=\"narrow\">" + draw(chart) + "</div></div>\n";
}

}  // namespace

LineChart line_chart_over(const char* x_label, const std::string& title, const char* unit) {
  LineChart chart;
  chart.title = title;
  chart.unit = unit;
  chart.x_label = x_label;
  chart.width = kHalfWidth;
  chart.height = kHalfHeight;
  return chart;
}

std::string wide(const LineChart& chart) {
  return drawn_twice(chart, [](const LineChart& one) { return line_chart(one); });
}

std::string wide(const BarChart& chart) {
  return drawn_twice(chart, [](const BarChart& one) { return bar_chart(one); });
}

std::string pair(const std::vector<std::string>& charts) {
  if (charts.empty()) return {};
  std::string out = "<div class=\"pair\">\n";
  for (const std::string& chart : charts) out += "<div class=\"chart\">" + chart + "</div>\n";
  return out + "</div>\n";
}

}  // namespace fcm::viz::report
