// Line and bar charts as SVG text. They follow the page's light or dark scheme and need no script.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fcm::viz {

// What surrounds the chart: a page that carries chart_style() once, or nothing, so that the SVG
// brings its own style and name space and can be saved as a file.
enum class ChartUse { kInPage, kFile };

enum class Scale {
  kLinear,
  kLog,  // numbers up to 0 cannot be shown and are left out
};

struct Series {
  std::string name;         // empty: not in the legend
  std::vector<double> x;    // ascending
  std::vector<double> y;    // as many; NaN or infinity: a gap in the line
  bool background = false;  // a faint line behind the others (raw values behind their average)
  bool dots = false;        // marks every value
  // Which of kRunLooks, the same in every chart of a page that compares runs, with a mark at the
  // line's end; -1: the next colour of the chart.
  int run = -1;
};

// Four colours that stay apart for colour-blind readers, each whole, dashed, dotted and both.
inline constexpr size_t kRunLooks = 16;

struct LineChart {
  std::string title;
  std::string unit;  // of y, beside the title: "%", "images/s"
  std::string x_label;
  std::vector<Series> series;
  Scale scale = Scale::kLinear;
  Scale x_scale = Scale::kLinear;
  bool whole_x = false;        // x counts something: no ticks between whole numbers
  bool from_zero = false;      // the y axis includes 0 (linear only)
  bool trim_outliers = false;  // rare values far off are drawn at the edge, and counted below
  bool has_legend = true;      // false: the page says which line is which
  size_t most_points = 1500;   // of a line: more than it has pixels
  double width = 720, height = 280;
};

// Without a single number to show, the chart says "no data" in its place.
std::string line_chart(const LineChart& chart, ChartUse use = ChartUse::kInPage);

// A piece of a run's line, for a legend outside of charts.
std::string run_swatch(size_t run);

struct BarGroup {
  std::string label;
  std::vector<double> values;  // one a series; NaN: the bar is left out
};

struct BarChart {
  std::string title;
  std::string unit;
  std::vector<std::string> series;  // the last one is what the chart is about and gets the accent
  std::vector<BarGroup> groups;
  int decimals = 1;       // of the labels at the bars' ends
  double full_scale = 0;  // the axis ends here, if nothing is larger; 0: it follows the values
  double width = 720;     // the height follows from the number of bars
};

std::string bar_chart(const BarChart& chart, ChartUse use = ChartUse::kInPage);

struct Span {
  double begin = 0, end = 0;
  std::string label;
};

struct TimelineRow {
  std::string label;
  std::vector<Span> spans;
  bool is_compared = false;  // grey, beside the rows that the chart is about
};

// What happened when: a bar for each span, on a common axis that begins at 0.
struct Timeline {
  std::string title;
  std::string unit;  // of begin and end
  std::vector<TimelineRow> rows;
  double width = 720;  // the height follows from the number of rows
};

std::string timeline(const Timeline& chart, ChartUse use = ChartUse::kInPage);

// CSS of all charts, for the head of a page that holds kInPage charts.
std::string_view chart_style();

// The mean of the middle half of `window` neighbours, ordered by size: unlike an exponential
// average it does not lag behind, and single spikes do not bend it. The window narrows towards the
// ends so that it stays centred. Leaves out what is not finite; keeps at most 600 places of a long
// series.
Series smoothed(const Series& series, size_t window);

}  // namespace fcm::viz
