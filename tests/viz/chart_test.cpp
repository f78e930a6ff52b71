#include "fcm/viz/chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <stdexcept>

#include "tests/viz/markup.h"

namespace fcm::viz {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Markup, TheCheckerFindsMistakes) {
  MarkupChecker checker;
  EXPECT_EQ(checker.problem("<a b=\"1\"><c/>x &lt; y</a>"), "");
  for (const char* bad : {"<a>", "<a></b>", "</a>", "<a><b></a></b>", "<a b=1></a>", "<a>&</a>",
                          "<a>&nbsp;</a>", "<a b=\"<\"/>", "<a b=\"1\" b=\"2\"/>", "<a b=\"1/>",
                          "< a></a>", "<a>\x01</a>", "<a", "<a b=\"x\"\"/>"}) {
    EXPECT_NE(checker.problem(bad), "") << bad;
  }
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// Checks that a chart is well-formed and has no numbers that a browser cannot read.
void expect_valid(const std::string& svg) {
  EXPECT_EQ(MarkupChecker().problem(svg), "");
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
  EXPECT_FALSE(std::regex_search(svg, std::regex("\"[^\"]*\\b(nan|inf)\\b[^\"]*\""))) << svg;
}

LineChart chart_of(std::vector<double> y, Scale scale = Scale::kLinear) {
  std::vector<double> x;
  for (size_t i = 0; i < y.size(); ++i) x.push_back(static_cast<double>(i * 10));
  LineChart chart;
  chart.title = "Loss";
  chart.x_label = "step";
  chart.scale = scale;
  chart.series = {{"loss", std::move(x), std::move(y), false, false}};
  return chart;
}

TEST(LineChart, ExtremeDataGivesValidCharts) {
  const std::vector<std::vector<double>> cases{{},
                                               {1},
                                               {3, 3, 3, 3},
                                               {0, 0},
                                               {kNan},
                                               {kNan, kInf, -kInf},
                                               {1, kNan, 2, kInf, 3},
                                               {1e-320, 1e-310},
                                               {-1.7e308, 1.7e308, 0},
                                               {1e-300, 1e300},
                                               {1, 1 + 1e-15},
                                               {-5, -2, -9}};
  for (const auto& values : cases) {
    for (const Scale scale : {Scale::kLinear, Scale::kLog}) {
      for (const bool flag : {false, true}) {
        LineChart chart = chart_of(values, scale);
        chart.from_zero = chart.trim_outliers = chart.whole_x = chart.series[0].dots = flag;
        expect_valid(line_chart(chart));
        expect_valid(line_chart(chart, ChartUse::kFile));
      }
    }
  }
  expect_valid(line_chart(LineChart{}));
}

TEST(LineChart, SaysSoWhereThereIsNothingToShow) {
  EXPECT_NE(line_chart(chart_of({})).find("no data"), std::string::npos);
  EXPECT_NE(line_chart(chart_of({kNan})).find("no data"), std::string::npos);
  EXPECT_NE(line_chart(chart_of({0, -1}, Scale::kLog)).find("no data"), std::string::npos);
  EXPECT_EQ(line_chart(chart_of({1, 2})).find("no data"), std::string::npos);
}

// The points of the first line of a chart, in pixels.
std::vector<std::pair<double, double>> points_of(const std::string& svg) {
  std::smatch path;
  EXPECT_TRUE(std::regex_search(svg, path, std::regex("<path [^>]*d=\"([^\"]*)\"")));
  const std::string d = path[1];
  const std::regex point("[ML]([-0-9.]+) ([-0-9.]+)");
  std::vector<std::pair<double, double>> points;
  for (std::sregex_iterator at(d.begin(), d.end(), point), end; at != end; ++at) {
    points.emplace_back(std::stod((*at)[1]), std::stod((*at)[2]));
  }
  return points;
}

TEST(LineChart, PlacesAreProportional) {
  const auto linear = points_of(line_chart(chart_of({0, 50, 100})));
  ASSERT_EQ(linear.size(), 3u);
  EXPECT_NEAR(linear[1].first, (linear[0].first + linear[2].first) / 2, 0.01);
  EXPECT_NEAR(linear[1].second, (linear[0].second + linear[2].second) / 2, 0.01);
  EXPECT_GT(linear[0].second, linear[2].second);  // y grows upwards
  const auto log = points_of(line_chart(chart_of({1, 10, 100}, Scale::kLog)));
  EXPECT_NEAR(log[1].second, (log[0].second + log[2].second) / 2, 0.01);
  const auto bent = points_of(line_chart(chart_of({1, 10, 100})));
  EXPECT_GT(std::abs(bent[1].second - (bent[0].second + bent[2].second) / 2), 10);
}

TEST(LineChart, LinesBreakAtGapsAndLoneValuesStayVisible) {
  const std::string svg = line_chart(chart_of({1, 2, kNan, kNan, 4, kInf, 3, 5}));
  const std::string d = svg.substr(svg.find(" d=\""), svg.find("\"/>", svg.find(" d=\"")));
  EXPECT_EQ(points_of(svg).size(), 5u);
  EXPECT_EQ(count(d.substr(0, d.find("\"/>")), "M"), 3u);
  EXPECT_EQ(count(svg, "class=\"dot"), 1u);  // the value 4 has no neighbours
}

TEST(LineChart, LongSeriesAreThinnedButKeepTheirPeaks) {
  std::vector<double> values(100000, 1.0);
  values[77777] = 9;
  values[33333] = -4;
  const std::string svg = line_chart(chart_of(values));
  const auto points = points_of(svg);
  EXPECT_LT(points.size(), 2000u);
  EXPECT_LT(svg.size(), 80000u);
  const auto flat = points_of(line_chart(chart_of({9, -4, 1})));
  double low = 1e9;
  double high = -1e9;
  for (const auto& [x, y] : points) {
    low = std::min(low, y);
    high = std::max(high, y);
  }
  EXPECT_NEAR(low, flat[0].second, 0.02);
  EXPECT_NEAR(high, flat[1].second, 0.02);
}

TEST(LineChart, OutliersAreHeldAtTheEdgeAndCounted) {
  std::vector<double> values(200);
  for (size_t i = 0; i < 200; ++i) values[i] = 0.5 + 0.001 * static_cast<double>(i % 7);
  LineChart chart = chart_of(values);
  chart.trim_outliers = true;
  EXPECT_EQ(line_chart(chart).find("beyond the axis"), std::string::npos);
  chart.series[0].y[100] = 1e6;
  const std::string svg = line_chart(chart);
  EXPECT_NE(svg.find("1 value beyond the axis"), std::string::npos);
  EXPECT_EQ(svg.find("1M"), std::string::npos);
  EXPECT_EQ(points_of(svg).size(), 200u);
}

TEST(Charts, EscapeEveryText) {
  const std::string nasty = "<b>&\"'\x01";
  LineChart line = chart_of({1, 2, 3});
  line.title = line.unit = line.x_label = line.series[0].name = nasty;
  BarChart bars{nasty, nasty, {nasty, nasty}, {{nasty, {1, kNan}}}, 1, 0, 500};
  for (const ChartUse use : {ChartUse::kInPage, ChartUse::kFile}) {
    for (const std::string& svg : {line_chart(line, use), bar_chart(bars, use)}) {
      expect_valid(svg);
      EXPECT_EQ(svg.find("<b>"), std::string::npos);
      EXPECT_NE(svg.find("&lt;b&gt;&amp;&quot;&#39;"), std::string::npos);
    }
  }
}

TEST(Charts, FilesBringTheirStyleAndPagesDoNot) {
  const LineChart chart = chart_of({1, 2});
  const std::string file = line_chart(chart, ChartUse::kFile);
  EXPECT_NE(file.find("xmlns=\"http://www.w3.org/2000/svg\""), std::string::npos);
  EXPECT_NE(file.find("prefers-color-scheme:dark"), std::string::npos);
  const std::string page = line_chart(chart);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("<style>"), std::string::npos);
  EXPECT_NE(chart_style().find("prefers-color-scheme:dark"), std::string::npos);
}

TEST(Charts, LegendNamesEverySeriesOnce) {
  LineChart chart = chart_of({1, 2});
  chart.series.push_back({"second", {0, 10}, {3, 4}, false, false});
  chart.series.push_back({"", {0, 10}, {3, 4}, true, false});
  const std::string svg = line_chart(chart);
  EXPECT_EQ(count(svg, ">second</text>"), 1u);
  EXPECT_EQ(count(svg, "class=\"key"), 2u);
}

std::vector<double> widths_of(const std::string& svg) {
  const std::regex bar("<rect [^>]*width=\"([0-9.]+)\" height=\"16\" rx=\"2\"><title>");
  std::vector<double> widths;
  for (std::sregex_iterator at(svg.begin(), svg.end(), bar), end; at != end; ++at) {
    widths.push_back(std::stod((*at)[1]));
  }
  return widths;
}

TEST(BarChart, LengthsAreProportionalAndLabelled) {
  const BarChart chart{"Accuracy", "%", {"raw", "pretrained"}, {{"kNN", {20, 80}}}, 1, 100, 720};
  const std::string svg = bar_chart(chart);
  expect_valid(svg);
  const auto widths = widths_of(svg);
  ASSERT_EQ(widths.size(), 2u);
  EXPECT_NEAR(widths[1] / widths[0], 4, 0.01);
  EXPECT_NE(svg.find(">20.0</text>"), std::string::npos);
  EXPECT_NE(svg.find(">80.0</text>"), std::string::npos);
}

TEST(BarChart, TakesExtremeAndMissingValues) {
  for (const auto& values : std::vector<std::vector<double>>{
           {kNan, kNan}, {0, 0}, {-5, 5}, {1e300, -1e300}, {1e-300, kInf}}) {
    expect_valid(bar_chart({"t", "", {"a", "b"}, {{"g", values}}, 1, 0, 400}));
  }
  expect_valid(bar_chart({}));
  EXPECT_NE(bar_chart({}).find("no data"), std::string::npos);
  const BarChart missing{"t", "", {"a", "b"}, {{"g", {kNan, 3}}}, 1, 0, 400};
  EXPECT_EQ(widths_of(bar_chart(missing)).size(), 1u);
  const BarChart none{"t", "", {"a", "b"}, {{"left out", {kNan, kNan}}, {"g", {2, 3}}}, 1, 0, 400};
  EXPECT_EQ(widths_of(bar_chart(none)).size(), 2u);
  EXPECT_EQ(bar_chart(none).find("left out"), std::string::npos);
  EXPECT_THROW(bar_chart({"t", "", {"a", "b"}, {{"g", {1}}}, 1, 0, 400}), std::logic_error);
}

TEST(Smoothed, FollowsALineWithoutLagAndIgnoresSpikes) {
  Series line;
  for (int i = 0; i < 300; ++i) {
    line.x.push_back(i);
    line.y.push_back(2.0 * i);
  }
  line.y[150] = 1e9;
  line.y[200] = kNan;
  const Series smooth = smoothed(line, 21);
  ASSERT_EQ(smooth.y.size(), 299u);
  for (size_t i = 5; i + 5 < smooth.y.size(); ++i) {
    EXPECT_NEAR(smooth.y[i], 2 * smooth.x[i], 4.0) << i;
  }
  EXPECT_EQ(smoothed({}, 9).y.size(), 0u);
  EXPECT_EQ(smoothed({"", {1}, {7}, false, false}, 9).y, std::vector<double>{7});
}

TEST(Smoothed, KeepsLongSeriesShort) {
  Series line;
  for (int i = 0; i < 50000; ++i) {
    line.x.push_back(i);
    line.y.push_back(1);
  }
  const Series smooth = smoothed(line, 2000);
  EXPECT_EQ(smooth.y.size(), 600u);
  EXPECT_EQ(smooth.x.front(), 0);
  EXPECT_EQ(smooth.x.back(), 49999);
}

TEST(TimelineChart, HasABarForEachSpanInItsPlace) {
  const Timeline chart{"A step",
                       "ms",
                       {{"step", {{0, 60, "forward"}, {60, 100, "backward"}}, true},
                        {"sums", {{70, 90, "8 MB"}}, false}}};
  for (const ChartUse use : {ChartUse::kFile, ChartUse::kInPage}) {
    const std::string svg = timeline(chart, use);
    expect_valid(svg);
    EXPECT_EQ(count(svg, "<rect "), 3);
    EXPECT_EQ(count(svg, "class=\"f0\""), 1);
    for (const char* words : {"A step", "forward", "backward", "<title>8 MB</title>", "sums"}) {
      EXPECT_EQ(count(svg, words) > 0, true) << words;
    }
  }
  // The bar of the span 70 to 90 starts at 70 % of the width between row labels and right edge.
  std::smatch bar;
  const std::string svg = timeline(chart);
  ASSERT_TRUE(std::regex_search(
      svg, bar, std::regex("class=\"f0\" x=\"([0-9.]+)\" y=\"[0-9.]+\" width=\"([0-9.]+)\"")));
  std::smatch first;
  ASSERT_TRUE(std::regex_search(
      svg, first, std::regex("class=\"n0\" x=\"([0-9.]+)\" y=\"[0-9.]+\" width=\"([0-9.]+)\"")));
  const double whole = std::stod(first[2]) / 0.6, left = std::stod(first[1]);
  EXPECT_NEAR(std::stod(bar[1]), left + 0.7 * whole, 0.1);
  EXPECT_NEAR(std::stod(bar[2]), 0.2 * whole, 0.1);
}

TEST(TimelineChart, OfNothingIsValid) {
  expect_valid(timeline({"", "ms", {}}));
  expect_valid(timeline({"", "ms", {{"none", {}, false}}}));
}

}  // namespace
}  // namespace fcm::viz
